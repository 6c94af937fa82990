import { createHash } from "node:crypto";
import { resolve } from "node:path";

/**
 * Tells the agents of one machine apart, also those of different servers that gave them the same node name: what an agent makes outside its state directory
 * (sandboxes, tables, bridges, addresses) bears this name. The same for every start from one state directory.
 */
export function agentInstance(nodeName: string, stateDirectory: string): string {
  const hash = createHash("sha256").update(resolve(stateDirectory)).digest("hex").slice(0, 8);
  return `${nodeName.slice(0, 54)}-${hash}`;
}
