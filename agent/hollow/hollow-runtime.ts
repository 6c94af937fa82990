import type { Clock } from "../../shared/clock.ts";
import type { ContainerRuntime, RuntimeContainer, RuntimePod } from "../runtime.ts";
import { type Ending, endingOf } from "./ending.ts";

interface HollowContainer {
  readonly id: string;
  readonly name: string;
  readonly attempt: number;
  readonly image: string;
  readonly imageId: string;
  readonly startedAtMs: number;
  /** Lets go of the timer that would end it. */
  cancelEnd: () => void;
  /** Absent while it runs. */
  ended: { readonly atMs: number; readonly exitCode: number; readonly signal: number } | undefined;
}

interface HollowSandbox {
  readonly pod: Omit<RuntimePod, "sandbox" | "containers">;
  readonly id: string;
  ready: boolean;
  readonly ip: string;
  readonly createdAtMs: number;
  readonly ends: ReadonlyMap<string, number>;
  readonly containers: Map<string, HollowContainer>;
}

const endless: Ending = { afterMs: Number.POSITIVE_INFINITY, exitCode: 0 };

/**
 * Runs nothing: what is started runs at once and ends when it is told to. What the sandbox's annotation `hollow.coracle.dev/ends-after-ms`
 * (`NAME=MS,…`) names ends as its command says, or after that time where the command does not say (`endingOf`). Addresses come from 100.64.0.0/10 (RFC 6598), 256 a node by
 * `nodeIndex`, so that 16,384 nodes of one fleet share none. State lives in memory alone.
 */
export function createHollowRuntime({ nodeIndex, clock }: { nodeIndex: number; clock: Clock }): ContainerRuntime {
  const sandboxes = new Map<string, HollowSandbox>();
  const listeners = new Set<(podUid: string) => void>();
  const addresses = new Set<number>();
  let ids = 0;

  const notify = (podUid: string): void => {
    for (const listener of listeners) listener(podUid);
  };
  const takeAddress = (): string => {
    let host = 0;
    while (addresses.has(host) && host < 255) host++;
    addresses.add(host);
    const block = nodeIndex % 16_384;
    return `100.${64 + (block >> 8)}.${block & 255}.${host}`;
  };
  const find = (containerId: string): { sandbox: HollowSandbox; container: HollowContainer } | undefined => {
    const sandbox = sandboxes.get(containerId.slice(0, containerId.indexOf("-")));
    const container = sandbox?.containers.get(containerId);
    return sandbox === undefined || container === undefined ? undefined : { sandbox, container };
  };
  const end = (sandbox: HollowSandbox, container: HollowContainer, exitCode: number, signal: number): void => {
    if (container.ended !== undefined) return;
    container.cancelEnd();
    container.ended = { atMs: clock.now(), exitCode, signal };
    notify(sandbox.pod.podUid);
  };
  const stateOf = (container: HollowContainer): RuntimeContainer["state"] => {
    const { startedAtMs, ended } = container;
    if (ended === undefined) return { kind: "running", startedAtMs };
    const { atMs, exitCode, signal } = ended;
    return { kind: "exited", startedAtMs, finishedAtMs: atMs, exitCode, signal, reason: exitCode === 0 ? "Completed" : "Error" };
  };

  return {
    kind: "hollow",
    version: async () => "hollow://1",
    list: async () =>
      [...sandboxes.values()].map(({ pod, id, ready, ip, createdAtMs, containers }) => ({
        ...pod,
        sandbox: { id, ready, ips: ready ? [ip] : [], createdAtMs },
        containers: [...containers.values()].map((container) => {
          const { id: containerId, name, attempt, image, imageId } = container;
          return { id: containerId, name, attempt, image, imageId, state: stateOf(container) };
        }),
      })),
    async runSandbox(spec) {
      const { podUid, namespace, name, cluster, attempt } = spec;
      for (const sandbox of sandboxes.values()) {
        if (sandbox.pod.podUid !== podUid || sandbox.pod.attempt !== attempt || !sandbox.ready) continue;
        return { id: sandbox.id, ready: true, ips: [sandbox.ip], createdAtMs: sandbox.createdAtMs };
      }
      const id = `h${++ids}`;
      const ends = (spec.annotations["hollow.coracle.dev/ends-after-ms"] ?? "").split(",").flatMap((entry) => {
        const [container, ms] = entry.split("=");
        return container === undefined || ms === undefined ? [] : [[container, Number(ms)] as const];
      });
      const sandbox: HollowSandbox = {
        pod: { podUid, namespace, name, cluster, attempt },
        id,
        ready: true,
        ip: takeAddress(),
        createdAtMs: clock.now(),
        ends: new Map(ends),
        containers: new Map(),
      };
      sandboxes.set(id, sandbox);
      return { id, ready: true, ips: [sandbox.ip], createdAtMs: sandbox.createdAtMs };
    },
    async stopSandbox(sandboxId) {
      const sandbox = sandboxes.get(sandboxId);
      if (sandbox === undefined || !sandbox.ready) return;
      for (const container of sandbox.containers.values()) end(sandbox, container, 137, 9);
      sandbox.ready = false;
      addresses.delete(Number(sandbox.ip.slice(sandbox.ip.lastIndexOf(".") + 1)));
    },
    async removeSandbox(sandboxId) {
      await this.stopSandbox(sandboxId);
      sandboxes.delete(sandboxId);
    },
    ensureImage: async (image) => ({ imageId: image }),
    async startContainer(sandboxId, spec) {
      const sandbox = sandboxes.get(sandboxId);
      if (sandbox === undefined) throw new TypeError(`no sandbox ${sandboxId}`);
      const id = `${sandboxId}-${spec.name}-${spec.attempt}`;
      const endsAfterMs = sandbox.ends.get(spec.name);
      const { afterMs, exitCode } = endsAfterMs === undefined ? endless : endingOf(spec, endsAfterMs);
      const { name, attempt, image, imageId } = spec;
      const startedAtMs = clock.now();
      const container: HollowContainer = { id, name, attempt, image, imageId, startedAtMs, cancelEnd() {}, ended: undefined };
      sandbox.containers.set(id, container);
      // A timer may be early by the clock: what has ended is what it was told to, not what should have by now.
      if (Number.isFinite(afterMs)) container.cancelEnd = clock.after(afterMs, () => end(sandbox, container, exitCode, 0));
      return id;
    },
    async stopContainer(containerId) {
      const found = find(containerId);
      if (found !== undefined) end(found.sandbox, found.container, 0, 0);
    },
    async removeContainer(containerId) {
      find(containerId)?.sandbox.containers.delete(containerId);
    },
    updateResources: async () => {},
    exec: async () => ({ exitCode: 0, output: "", timedOut: false }),
    watch(onEvent) {
      listeners.add(onEvent);
      return () => listeners.delete(onEvent);
    },
    async close() {
      listeners.clear();
    },
  };
}
