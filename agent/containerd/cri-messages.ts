import { z } from "zod";

/** The parts of the container runtime interface's answers that the agent reads. */
const nanoseconds = z.string().regex(/^-?\d+$/);
const stringMap = z.record(z.string(), z.string());
const metadata = z.object({ name: z.string(), attempt: z.number() });

export const empty = z.object({});

export const versionResponse = z.object({ runtime_name: z.string(), runtime_version: z.string() });

const sandbox = z.object({
  id: z.string(),
  metadata: z.object({ name: z.string(), uid: z.string(), namespace: z.string(), attempt: z.number() }),
  state: z.string(),
  created_at: nanoseconds,
  labels: stringMap,
  annotations: stringMap,
});
export type CriSandbox = z.infer<typeof sandbox>;

export const runSandboxResponse = z.object({ pod_sandbox_id: z.string() });
export const listSandboxesResponse = z.object({ items: z.array(sandbox) });
export const sandboxStatusResponse = z.object({
  status: z.object({
    id: z.string(),
    state: z.string(),
    created_at: nanoseconds,
    metadata: z.object({ name: z.string(), uid: z.string(), namespace: z.string(), attempt: z.number() }),
    network: z.object({ ip: z.string(), additional_ips: z.array(z.object({ ip: z.string() })) }).nullish(),
    labels: stringMap,
    annotations: stringMap,
  }),
});
export type CriSandboxStatus = z.infer<typeof sandboxStatusResponse>["status"];

const container = z.object({
  id: z.string(),
  pod_sandbox_id: z.string(),
  metadata,
  image_ref: z.string(),
  state: z.string(),
  created_at: nanoseconds,
  labels: stringMap,
  annotations: stringMap,
});
export type CriContainer = z.infer<typeof container>;

export const createContainerResponse = z.object({ container_id: z.string() });
export const listContainersResponse = z.object({ containers: z.array(container) });
export const containerStatusResponse = z.object({
  status: z.object({
    state: z.string(),
    started_at: nanoseconds,
    finished_at: nanoseconds,
    exit_code: z.number(),
    image: z.object({ image: z.string() }).nullish(),
    image_ref: z.string(),
    reason: z.string(),
    message: z.string(),
  }),
});
export type CriContainerStatus = z.infer<typeof containerStatusResponse>["status"];

export const execSyncResponse = z.object({
  stdout: z.instanceof(Uint8Array),
  stderr: z.instanceof(Uint8Array),
  exit_code: z.number(),
});

export const imageStatusResponse = z.object({
  image: z
    .object({
      id: z.string(),
      repo_tags: z.array(z.string()),
      repo_digests: z.array(z.string()),
      uid: z.object({ value: z.string() }).nullish(),
      username: z.string(),
    })
    .nullish(),
});
export type CriImage = NonNullable<z.infer<typeof imageStatusResponse>["image"]>;

export const pullImageResponse = z.object({ image_ref: z.string() });

export const containerEvent = z.object({
  container_id: z.string(),
  pod_sandbox_status: z.object({ metadata: z.object({ uid: z.string() }).nullish(), labels: stringMap }).nullish(),
});

/** Nanoseconds since 1970 in decimal digits to milliseconds; 0 stays 0. */
export function millisOf(nanosecondDigits: string): number {
  return Number(BigInt(nanosecondDigits) / 1_000_000n);
}
