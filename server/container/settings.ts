import { z } from "zod";
import { containerVariables as variables } from "../../functions/names.ts";
import { readVariables, words } from "../../shared/host/variables.ts";

const surfaces = ["cluster", "platform", "agent"] as const;
export type Surface = (typeof surfaces)[number];

const shape = z.object({
  [variables.host]: z.union([z.ipv4(), z.ipv6()]).default("127.0.0.1"),
  [variables.port]: z.coerce.number().int().min(0).max(65535).default(7443),
  [variables.surfaces]: words.pipe(z.array(z.enum(surfaces)).min(1)).default([...surfaces]),
  [variables.loops]: z.enum(["on", "off"]).default("on"),
  [variables.drainSeconds]: z.coerce.number().min(0).max(110).default(0),
  [variables.caFile]: z.string().optional(),
});

/** What a server process over a table has to know beside what the functions do (`functions/environment.ts`). */
export interface ContainerSettings {
  /** The address to listen on. */
  readonly host: string;
  /** 0: whichever is free. */
  readonly port: number;
  readonly surfaces: ReadonlySet<Surface>;
  /** Whether this process turns clusters. */
  readonly loops: boolean;
  /** Between "not ready" and the end. */
  readonly drainSeconds: number;
  /** Where the certificate of its authority is written to. */
  readonly caFile: string | undefined;
}

/** The message of the error names the variable. Empty ones count as absent. @throws Error */
export function readContainerSettings(environment: Readonly<Record<string, string | undefined>>): ContainerSettings {
  const data = readVariables(shape, environment);
  return {
    host: data[variables.host],
    port: data[variables.port],
    surfaces: new Set(data[variables.surfaces]),
    loops: data[variables.loops] === "on",
    drainSeconds: data[variables.drainSeconds],
    caFile: data[variables.caFile],
  };
}
