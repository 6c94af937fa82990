import { readFile } from "node:fs/promises";
import { awsPorts } from "../../functions/aws-ports.ts";
import type { FunctionPorts } from "../../functions/ports.ts";

const inFile = "file:";
/** A connection that died without a word must not hold its request for ever; the store tries again by itself. */
const patience = { connectionTimeout: 2000, requestTimeout: 5000, throwOnRequestTimeout: true } as const;

/**
 * The world outside as the functions see it. A secret may also lie in a file, `file:/run/secrets/coracle`, for hosts that have no Secrets Manager.
 * @throws Error where the variables are not as they should be
 */
export function containerPorts(variables: Readonly<Record<string, string | undefined>>): FunctionPorts {
  const ports = awsPorts(variables, { requestHandler: patience });
  return {
    ...ports,
    readSecret: async (id) => (id.startsWith(inFile) ? (await readFile(id.slice(inFile.length), "utf8")).trim() : ports.readSecret(id)),
  };
}
