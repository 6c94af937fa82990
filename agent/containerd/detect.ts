import { stat } from "node:fs/promises";

export const defaultEndpoint = "unix:///run/containerd/containerd.sock";
/** Longer than a healthy runtime ever needs; a start of the agent must not hang on a dead one. */
const detectTimeoutMs = 1_000;

export type Detection =
  | { readonly kind: "usable"; readonly endpoint: string; readonly version: string }
  | { readonly kind: "absent"; readonly reason: string };

/**
 * Is there a container runtime that speaks CRI v1? `endpoint` is `CONTAINER_RUNTIME_ENDPOINT`, when it is set. Answers within about a second and
 * never throws. gRPC is loaded only when the socket exists.
 */
export async function detectContainerd(endpoint: string = defaultEndpoint): Promise<Detection> {
  const path = endpoint.replace(/^unix:(\/\/)?/, "");
  const found = await stat(path).catch(() => undefined);
  if (found?.isSocket() !== true) return { kind: "absent", reason: `no socket at ${path}` };
  const [{ createCriClient }, { versionResponse }] = await Promise.all([import("./cri-client.ts"), import("./cri-messages.ts")]);
  const cri = createCriClient(endpoint);
  try {
    const answer = await cri.call("RuntimeService", "Version", {}, versionResponse, { timeoutMs: detectTimeoutMs });
    return { kind: "usable", endpoint, version: `${answer.runtime_name}://${answer.runtime_version}` };
  } catch (error) {
    return { kind: "absent", reason: `${path} does not answer: ${error instanceof Error ? error.message : String(error)}` };
  } finally {
    cri.close();
  }
}
