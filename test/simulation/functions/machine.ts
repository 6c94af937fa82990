import { createNodeAgent } from "../../../agent/agent.ts";
import { createHollowRuntime } from "../../../agent/hollow/hollow-runtime.ts";
import { noPodFiles } from "../../../agent/pod-files.ts";
import type { ContainerRuntime } from "../../../agent/runtime.ts";
import { createHttpTransport, type Fetch, joinPool } from "../../../agent/transport.ts";
import type { NodeDescription } from "../../../shared/api/agent/protocol.ts";
import { silentLog } from "../../../shared/telemetry/log.ts";
import { machine as described } from "../../unit/functions/machine.ts";
import { SimulatedProcess } from "../process.ts";
import { createRandom } from "../random.ts";
import type { World } from "../world.ts";

export interface MachineOptions {
  readonly seed: number;
  readonly name: string;
  readonly index: number;
  readonly room: number;
  readonly world: World;
  /** A request on behalf of a process of this machine. */
  readonly fetchOf: (process: SimulatedProcess) => Fetch;
  /** A container is begun here. */
  readonly onBegin: (podUid: string, container: string) => void;
}

const serverUrl = "https://agents.example";
export const podMillis = 100;

/** A machine that runs on while its agent dies, is stopped and comes back. */
export class Machine {
  readonly name: string;
  readonly runtime: ContainerRuntime;
  readonly #options: MachineOptions;
  #agent: SimulatedProcess | undefined;
  #credential: string | undefined;
  #runs = 0;

  constructor(options: MachineOptions) {
    this.#options = options;
    this.name = options.name;
    const { world, index } = options;
    this.runtime = createHollowRuntime({
      nodeIndex: index,
      clock: { now: () => Math.floor(world.nowMs), after: (ms, run) => world.after(ms, run) },
    });
  }

  async join(token: string): Promise<void> {
    const { fetch } = { fetch: this.#options.fetchOf(this.#process("join")) };
    const joined = await joinPool({ serverUrl, fetch }, { token, node: this.#description() });
    this.#credential = joined.credential;
  }

  start(): void {
    if (this.#agent || this.#credential === undefined) return;
    const process = this.#process(`agent${++this.#runs}`);
    this.#agent = process;
    createNodeAgent({
      ...{ nodeName: this.name, runtime: this.#seenBy(process), files: noPodFiles, network: undefined, log: silentLog },
      transport: createHttpTransport({ serverUrl, fetch: this.#options.fetchOf(process) }, this.#credential),
      describe: () => Promise.resolve(this.#description()),
      apiServer: { host: "server", port: 443 },
      clock: process.clock,
      random: process.random.next,
    });
  }

  crash(): void {
    this.#agent?.crash();
    this.#agent = undefined;
  }

  pause(forMs: number): void {
    this.#agent?.pause(forMs);
  }

  /** The pods of which something runs. */
  async running(): Promise<string[]> {
    const found = await this.runtime.list();
    return found.filter(({ containers }) => containers.some(({ state }) => state.kind === "running")).map(({ podUid }) => podUid);
  }

  #process(name: string): SimulatedProcess {
    const { seed, world } = this.#options;
    return new SimulatedProcess(`${this.name}-${name}`, world, createRandom(seed, `${this.name}-${name}`));
  }

  #description(): NodeDescription {
    const amounts = { cpu: `${this.#options.room * podMillis}m`, memory: "32Gi", pods: "110" };
    return { ...described(this.name), capacity: amounts, allocatable: amounts };
  }

  /** What a process has asked for happens whether or not it is there to hear of it. */
  #seenBy(process: SimulatedProcess): ContainerRuntime {
    const { world, onBegin } = this.#options;
    const { runtime } = this;
    const ask = <T>(act: () => Promise<T>): Promise<T> =>
      new Promise((resolve, reject) => {
        if (!process.alive) return;
        const later = (): number => process.random.between(0.5, 20);
        world.after(later(), () =>
          act().then(
            (answer) => process.after(later(), () => resolve(answer)),
            (error: unknown) => process.after(later(), () => reject(error)),
          ),
        );
      });
    return {
      ...{ kind: runtime.kind, version: () => ask(() => runtime.version()), list: () => ask(() => runtime.list()) },
      runSandbox: (spec) => ask(() => runtime.runSandbox(spec)),
      stopSandbox: (id) => ask(() => runtime.stopSandbox(id)),
      removeSandbox: (id) => ask(() => runtime.removeSandbox(id)),
      ensureImage: (image, policy) => ask(() => runtime.ensureImage(image, policy)),
      startContainer: (id, spec) =>
        ask(async () => {
          const of = (await runtime.list()).find(({ sandbox }) => sandbox.id === id);
          if (of) onBegin(of.podUid, spec.name);
          return runtime.startContainer(id, spec);
        }),
      stopContainer: (id, seconds) => ask(() => runtime.stopContainer(id, seconds)),
      removeContainer: (id) => ask(() => runtime.removeContainer(id)),
      updateResources: (id, resources) => ask(() => runtime.updateResources(id, resources)),
      exec: (id, command, seconds) => ask(() => runtime.exec(id, command, seconds)),
      watch: (onEvent) => runtime.watch((uid) => void process.after(1, () => onEvent(uid))),
      close: async () => {},
    };
  }
}
