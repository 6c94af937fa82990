import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { z } from "zod";
import type { Endpoint } from "./endpoint.ts";
import type { Measurement } from "./measurement.ts";
import { benchNamespace } from "./operations.ts";

const line = z.object({
  op: z.string(),
  n: z.number(),
  errors: z.number(),
  per_second: z.number(),
  p50_ms: z.number(),
  p99_ms: z.number(),
  first_error: z.string().optional(),
});

/** Drives a server with an external program that prints one JSON line an operation; its options are those of the Go client `kbench`. */
export async function loadWithKbench(
  program: string,
  { base, token }: Endpoint,
  objects: number,
  only?: readonly string[],
): Promise<Measurement[]> {
  const args = [
    "-server",
    base,
    "-token",
    token,
    "-n",
    String(objects),
    "-namespace",
    benchNamespace,
    ...(only ? ["-ops", only.join(",")] : []),
  ];
  const { stdout } = await promisify(execFile)(program, args, { maxBuffer: 64 * 1024 * 1024 });
  return stdout
    .trim()
    .split("\n")
    .map((text) => line.parse(JSON.parse(text)))
    .map((found) => ({
      operation: found.op,
      count: found.n,
      errors: found.errors,
      firstError: found.first_error ?? "",
      perSecond: found.per_second,
      p50Ms: found.p50_ms,
      p99Ms: found.p99_ms,
    }));
}
