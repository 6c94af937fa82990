import type { Duplex } from "node:stream";
import type { ContainerStreams } from "../runtime.ts";
import type { CommandOutcome } from "./command-status.ts";

/** What of a container's streams a client asked for (kubelet's `remotecommand.NewOptions`). */
export interface CommandOptions {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly tty: boolean;
}

/** `undefined`: it asks for none. */
export function commandOptions(query: URLSearchParams): CommandOptions | undefined {
  const asked = (name: string): boolean => query.get(name) === "1";
  const tty = asked("tty");
  const options = { stdin: asked("input"), stdout: asked("output"), stderr: asked("error") && !tty, tty };
  return options.stdin || options.stdout || options.stderr ? options : undefined;
}

/** Runs what was asked for over the client's streams. Does not throw. */
export type RunCommand = (streams: ContainerStreams) => Promise<CommandOutcome>;

/** A request whose connection becomes another protocol's. */
export interface UpgradeRequest {
  readonly connection: Duplex;
  header(name: string): string | undefined;
  /** Answers it as a plain request. */
  refuse(status: number, text: string): void;
}

/** The protocols that a header lists, of all times it was sent. */
export const listed = (header: string | undefined): string[] =>
  (header ?? "")
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
