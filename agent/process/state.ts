import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import type { ContainerSpec } from "../runtime.ts";
import { type ExitRecord, exitRecord, type StartRecord, startRecord } from "./shim-protocol.ts";

const sandboxRecord = z.object({
  id: z.string(),
  podUid: z.string(),
  namespace: z.string(),
  name: z.string(),
  cluster: z.string(),
  attempt: z.number().int(),
  hostname: z.string(),
  hostNetwork: z.boolean(),
  logDirectory: z.string(),
  dns: z
    .object({ servers: z.array(z.string()), searches: z.array(z.string()), options: z.array(z.string()) })
    .optional()
    .readonly(),
  ready: z.boolean(),
  createdAtMs: z.number(),
});
type StoredSandbox = z.infer<typeof sandboxRecord>;
export type SandboxRecord = Omit<StoredSandbox, "dns"> & {
  readonly dns:
    | { readonly servers: readonly string[]; readonly searches: readonly string[]; readonly options: readonly string[] }
    | undefined;
};

const security = z.object({
  runAsUser: z.number().optional(),
  runAsGroup: z.number().optional(),
  supplementalGroups: z.array(z.number()),
  noNewPrivileges: z.boolean(),
});
export type ExecSecurity = z.infer<typeof security>;

const containerRecord = z.object({
  id: z.string(),
  sandboxId: z.string(),
  podUid: z.string(),
  name: z.string(),
  attempt: z.number().int(),
  image: z.string(),
  imageId: z.string(),
  security,
});
/** A container and what the disk tells of its life. */
export interface ContainerRecord extends z.infer<typeof containerRecord> {
  started: StartRecord | undefined;
  exit: ExitRecord | undefined;
  /** Its supervisor died; the process lives on. */
  unsupervised: boolean;
}

/** Sandboxes and containers on disk, each a directory, with everything in memory as well. */
export async function createStateStore(directory: string) {
  const sandboxes = new Map<string, SandboxRecord>();
  const containers = new Map<string, ContainerRecord>();
  const directoryOf = (sandboxId: string): string => join(directory, "sandboxes", sandboxId);
  const containerDirectory = ({ sandboxId, id }: { sandboxId: string; id: string }): string =>
    join(directoryOf(sandboxId), "containers", id);

  await mkdir(join(directory, "sandboxes"), { recursive: true, mode: 0o700 });
  for (const id of await readdir(join(directory, "sandboxes"))) {
    const sandbox = await readJson(join(directoryOf(id), "sandbox.json"), sandboxRecord);
    if (sandbox === undefined) continue;
    sandboxes.set(id, { ...sandbox, dns: sandbox.dns });
    const ids: string[] = await readdir(join(directoryOf(id), "containers")).catch(() => []);
    for (const containerId of ids) {
      const path = containerDirectory({ sandboxId: id, id: containerId });
      const record = await readJson(join(path, "container.json"), containerRecord);
      if (record === undefined) continue;
      const [started, exit] = [
        await readJson(join(path, "started.json"), startRecord),
        await readJson(join(path, "exit.json"), exitRecord),
      ];
      containers.set(containerId, { ...record, started, exit, unsupervised: false });
    }
  }

  return {
    sandboxes: sandboxes as ReadonlyMap<string, SandboxRecord>,
    containers,
    directoryOf,
    containerDirectory,
    containersOf: (sandboxId: string): ContainerRecord[] =>
      [...containers.values()].filter((container) => container.sandboxId === sandboxId),
    async addSandbox(sandbox: SandboxRecord): Promise<SandboxRecord> {
      await mkdir(join(directoryOf(sandbox.id), "containers"), { recursive: true, mode: 0o700 });
      if (sandbox.dns !== undefined) {
        const { servers, searches, options } = sandbox.dns;
        const lines = [
          ...servers.map((server) => `nameserver ${server}`),
          ...(searches.length > 0 ? [`search ${searches.join(" ")}`] : []),
          ...(options.length > 0 ? [`options ${options.join(" ")}`] : []),
        ];
        await writeFile(join(directoryOf(sandbox.id), "resolv.conf"), `${lines.join("\n")}\n`, { mode: 0o644 });
      }
      return this.saveSandbox(sandbox);
    },
    async saveSandbox(sandbox: SandboxRecord): Promise<SandboxRecord> {
      await writeJson(join(directoryOf(sandbox.id), "sandbox.json"), sandbox);
      sandboxes.set(sandbox.id, sandbox);
      return sandbox;
    },
    async removeSandbox(sandboxId: string): Promise<void> {
      await rm(directoryOf(sandboxId), { recursive: true, force: true });
      sandboxes.delete(sandboxId);
      for (const container of containers.values()) if (container.sandboxId === sandboxId) containers.delete(container.id);
    },
    async addContainer(sandbox: SandboxRecord, { id, spec }: { id: string; spec: ContainerSpec }): Promise<ContainerRecord> {
      const { runAsUser, runAsGroup, supplementalGroups, noNewPrivileges } = spec.security;
      const record = {
        id,
        sandboxId: sandbox.id,
        podUid: sandbox.podUid,
        name: spec.name,
        attempt: spec.attempt,
        image: spec.image,
        imageId: spec.imageId,
        security: { runAsUser, runAsGroup, supplementalGroups: [...supplementalGroups], noNewPrivileges },
      };
      const path = containerDirectory(record);
      await mkdir(path, { recursive: true, mode: 0o700 });
      await writeJson(join(path, "container.json"), record);
      const container = { ...record, started: undefined, exit: undefined, unsupervised: false };
      containers.set(id, container);
      return container;
    },
    async loadStart(container: ContainerRecord): Promise<void> {
      container.started = await readJson(join(containerDirectory(container), "started.json"), startRecord);
    },
    async loadExit(container: ContainerRecord): Promise<void> {
      container.exit = await readJson(join(containerDirectory(container), "exit.json"), exitRecord);
    },
    async saveExit(container: ContainerRecord, exit: ExitRecord): Promise<void> {
      await writeJson(join(containerDirectory(container), "exit.json"), exit);
      container.exit = exit;
    },
  };
}

async function readJson<T extends z.ZodType>(path: string, schema: T): Promise<z.output<T> | undefined> {
  try {
    return schema.parse(JSON.parse(await readFile(path, "utf8")));
  } catch {
    return undefined;
  }
}

async function writeJson(path: string, value: unknown): Promise<void> {
  await writeFile(`${path}.new`, JSON.stringify(value), { mode: 0o600 });
  await rename(`${path}.new`, path);
}
