import { request } from "node:https";
import type { Endpoint } from "./endpoint.ts";

export interface WatchEvent {
  readonly type: string;
  readonly object: { readonly metadata: { readonly name: string }; readonly spec?: { readonly nodeName?: string } };
}

/**
 * Opens a watch on a connection of its own and calls `onEvent` with each event. Resolves, once the server has answered, to what ends it.
 * @throws Error when the answer is not 200
 */
export function openWatch(endpoint: Endpoint, path: string, onEvent: (event: WatchEvent) => void): Promise<() => void> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${endpoint.token}`, accept: "application/json" };
    const outgoing = request(endpoint.base + path, { agent: false, ca: endpoint.ca, headers }, (incoming) => {
      if (incoming.statusCode !== 200) return reject(new Error(`${path}: status ${incoming.statusCode}`));
      let rest = "";
      incoming.setEncoding("utf8").on("data", (chunk: string) => {
        const lines = (rest + chunk).split("\n");
        rest = lines.pop() ?? "";
        for (const line of lines) if (line !== "") onEvent(JSON.parse(line));
      });
      incoming.on("error", () => {});
      resolve(() => void outgoing.destroy());
    });
    outgoing.on("error", reject);
    outgoing.end();
  });
}
