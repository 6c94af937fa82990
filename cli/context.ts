import type { Clock } from "../shared/clock.ts";

export interface Terminal {
  write(text: string): void;
  readonly isTTY: boolean;
}

/** The part of `fetch` that the CLI uses. */
export type Fetch = (
  url: string,
  init: { method: string; headers: Record<string, string>; body?: string; signal?: AbortSignal },
) => Promise<{ readonly status: number; text(): Promise<string> }>;

export interface AgentRequest {
  readonly serverUrl: string;
  /** PEM; absent: the system's authorities. */
  readonly ca: string | undefined;
  readonly joinToken: string;
  readonly runtime: "auto" | "containerd" | "process" | "hollow";
  /** Of the one node, or what the names of a fleet begin with. */
  readonly nodeName: string;
  /** More than one: a fleet of hollow nodes. */
  readonly count: number;
  readonly stateDirectory: string;
  /** Plain routes to pods on machines of the same network segment. */
  readonly directRoutes: boolean;
}

export interface RunningAgents {
  readonly nodeNames: readonly string[];
  /** Resolves when the one node was taken out of its pool; never for a fleet. */
  readonly removed: Promise<void>;
  /** Their pods keep running; `end` is for a node that has left its pool: nothing of it stays on the machine. */
  stop(options?: { readonly pods?: "keep" | "end" }): Promise<void>;
}

/** Everything the commands know of the world. `main.ts` makes it of the process; tests of parts. */
export interface CliContext {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly workingDirectory: string;
  readonly homeDirectory: string;
  readonly stdout: Terminal;
  readonly stderr: Terminal;
  readonly readStdin: () => Promise<string>;
  readonly clock: Clock;
  readonly uid: () => string;
  readonly random: () => number;
  /** A `fetch` that trusts this certificate authority (PEM) only, or the system's when there is none. */
  readonly connect: (caPem: string | undefined) => Promise<Fetch>;
  /** Joins a pool and runs the node agent in this process; resolves once it has joined. @throws CliError when the join is refused */
  readonly startAgents: (request: AgentRequest) => Promise<RunningAgents>;
  /** Of this program. */
  readonly version: string;
  /** Absolute path of `coracle.mjs`, for what calls the CLI again. */
  readonly entry: string;
  /** Aborted when the user interrupts. */
  readonly interrupted: AbortSignal;
}

/** @throws the signal's reason when the user interrupts. */
export function sleep({ clock, interrupted }: Pick<CliContext, "clock" | "interrupted">, milliseconds: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = () => {
      cancel();
      reject(interrupted.reason);
    };
    const cancel = clock.after(milliseconds, () => {
      interrupted.removeEventListener("abort", onAbort);
      resolve();
    });
    interrupted.addEventListener("abort", onAbort, { once: true });
  });
}
