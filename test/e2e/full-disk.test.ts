import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { ConfigMap, Status } from "../../shared/kubernetes/types.ts";
import { untilTrue } from "./eventually.ts";
import { describeWith, needs } from "./needs.ts";
import { type ServerFixture, startServer } from "./server-fixture.ts";

const run = promisify(execFile);
const path = "/api/v1/namespaces/default/configmaps";
const wide = "x".repeat(100_000);

describeWith([needs.linux, needs.root], "a server whose disk becomes full under load", () => {
  let disk: string;
  let server: ServerFixture;
  const acknowledged = new Map<string, string>();
  const refused: { readonly status: number; readonly text: string }[] = [];
  let written = 0;

  const create = async (): Promise<boolean> => {
    const name = `fill-${written++}`;
    const { status, text, json } = await server.api.send(path, {
      method: "POST",
      body: { apiVersion: "v1", kind: "ConfigMap", metadata: { name }, data: { wide, name } },
    });
    if (status === 201) acknowledged.set(name, json<ConfigMap>().metadata.resourceVersion ?? "");
    else refused.push({ status, text });
    return status === 201;
  };
  const lost = async (): Promise<string[]> => {
    const { items } = (await server.api.send(path)).json<{ items: ConfigMap[] }>();
    const found = new Map(items.map(({ metadata, data }) => [metadata.name, [metadata.resourceVersion, data?.name]]));
    return [...acknowledged].flatMap(([name, version]) => (String(found.get(name)) === String([version, name]) ? [] : [name]));
  };

  beforeAll(async () => {
    disk = await mkdtemp(join(tmpdir(), "coracle-disk-"));
    await run("mount", ["-t", "tmpfs", "-o", "size=32m", "tmpfs", disk]);
    await writeFile(join(disk, "ballast"), Buffer.alloc(12_000_000));
    server = await startServer({ parent: disk });
    const writer = async (): Promise<void> => {
      while (refused.length < 12 && written < 1000) await create();
    };
    await Promise.all(Array.from({ length: 4 }, writer));
  });
  afterAll(async () => {
    await server?.stop();
    await run("umount", [disk]);
    await rm(disk, { recursive: true });
  });

  it("refuses writes with a Status of the server's, and goes on answering reads", async () => {
    expect(acknowledged.size).toBeGreaterThan(10);
    expect(refused.length).toBeGreaterThanOrEqual(12);
    for (const { status, text } of refused) {
      expect(status).toBeGreaterThanOrEqual(500);
      expect((JSON.parse(text) as Status).kind).toBe("Status");
    }
    expect(await lost()).toEqual([]);
  });

  it("takes writes again when there is room and it was started anew, and has lost nothing it acknowledged", async () => {
    await rm(join(disk, "ballast"));
    await server.kill("SIGKILL");
    await server.restart();
    expect(await lost()).toEqual([]);
    await untilTrue("it writes again", create);
    expect(await lost()).toEqual([]);
  });
});
