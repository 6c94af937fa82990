import type { Pod } from "../../../shared/kubernetes/types.ts";
import type { SeenEntry, Violation } from "../history.ts";
import type { Random } from "../random.ts";

interface PodState {
  readonly uid: string;
  readonly name: string;
  readonly node: string;
  readonly phase: string;
  readonly isDeleted: boolean;
  /** When it was bound, and when it ended or went. */
  readonly boundMs?: number;
  readonly endedMs?: number;
}

const ended = (phase: string): boolean => phase === "Succeeded" || phase === "Failed";

/** What becomes of each pod, by the log and by the machines: bound once, run by the machine that it is bound to, ended for good. */
export class PodStories {
  readonly violations: Violation[] = [];
  readonly told: unknown[] = [];
  readonly #pods = new Map<string, PodState>();
  readonly #begun = new Map<string, number>();
  readonly #once = new Set<string>();
  /** Pods that find room on a machine. */
  readonly room: number;
  /** Of the newest change of a pod. */
  revision = 0;

  readonly #now: () => number;

  constructor(room: number, now: () => number) {
    this.room = room;
    this.#now = now;
  }

  changed({ revision, type }: SeenEntry, { metadata, spec, status }: Pod): void {
    const { uid = "", name = "" } = metadata;
    const state = { uid, name, node: spec?.nodeName ?? "", phase: status?.phase ?? "", isDeleted: type === "DELETED" };
    const before = this.#pods.get(uid);
    const isOver = state.isDeleted || ended(state.phase);
    const boundMs = before?.boundMs ?? (state.node === "" ? undefined : this.#now());
    const endedMs = before?.endedMs ?? (isOver ? this.#now() : undefined);
    this.#pods.set(uid, { ...state, ...(boundMs !== undefined && { boundMs }), ...(endedMs !== undefined && { endedMs }) });
    this.told.push({ revision, type, ...state });
    this.revision = Math.max(this.revision, revision);
    const here = this.state().bound.get(state.node)?.length ?? 0;
    if (here > this.room)
      this.#complain("a machine is never over-committed", `${state.node} has room for ${this.room} and holds ${here} at ${revision}`);
    if (spec?.restartPolicy === "Never") this.#once.add(uid);
    if (before && before.node !== "" && before.node !== state.node)
      this.#complain("a pod is bound once", `${name} was on ${before.node} and at ${revision} is on ${state.node || "none"}`);
    if (before && ended(before.phase) && state.phase !== before.phase)
      this.#complain("an end is final", `${name} was ${before.phase} and at ${revision} is ${state.phase}`);
  }

  /** A machine begins a container. */
  began(machine: string, uid: string, container: string): void {
    const pod = this.#pods.get(uid);
    this.told.push({ machine, began: uid, container });
    if (pod?.node !== machine)
      this.#complain("an agent runs no pod of another node", `${machine} began ${pod?.name ?? uid}, which is on ${pod?.node ?? "none"}`);
    const times = (this.#begun.get(uid) ?? 0) + 1;
    this.#begun.set(uid, times);
    if (times > 1 && this.#once.has(uid))
      this.#complain("what is never restarted is begun once", `${machine} began ${pod?.name} ${times} times`);
  }

  /** Pods that are there and have not ended, and those of them that each machine is to run. */
  state(): { readonly live: readonly PodState[]; readonly bound: ReadonlyMap<string, string[]> } {
    const live = [...this.#pods.values()].filter(({ isDeleted, phase }) => !isDeleted && !ended(phase));
    const bound = new Map<string, string[]>();
    for (const { uid, node } of live) if (node !== "") bound.set(node, [...(bound.get(node) ?? []), uid]);
    return { live, bound };
  }

  /** The most that pods may count for when who meters them looks at least so often. */
  podSeconds(everyMs: number): number {
    let sumMs = 0;
    for (const { boundMs, endedMs = this.#now() } of this.#pods.values()) if (boundMs !== undefined) sumMs += endedMs - boundMs + everyMs;
    return sumMs / 1000;
  }

  someLive(random: Random): string | undefined {
    const { live } = this.state();
    return live.length > 0 ? random.pick(live).name : undefined;
  }

  #complain(rule: string, story: string): void {
    this.violations.push({ rule, story });
  }
}
