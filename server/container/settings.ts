import { z } from "zod";
import { containerVariables } from "../../functions/names/container-variables.ts";
import { readVariables, words } from "../../shared/host/variables.ts";

const surfaces = ["cluster", "platform", "agent"] as const;
export type Surface = (typeof surfaces)[number];

const shape = z.object({
  host: z.union([z.ipv4(), z.ipv6()]).default("127.0.0.1"),
  port: z.coerce.number().int().min(0).max(65535).default(7443),
  surfaces: words.pipe(z.array(z.enum(surfaces)).min(1)).default([...surfaces]),
  loops: z.enum(["on", "off"]).default("on"),
  drainSeconds: z.coerce.number().min(0).max(110).default(0),
  caFile: z.string().optional(),
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
  const { surfaces, loops, caFile, ...given } = readVariables(shape, containerVariables, environment);
  return { ...given, surfaces: new Set(surfaces), loops: loops === "on", caFile };
}
