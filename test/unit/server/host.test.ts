import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { type Host, startHost } from "../../../server/host.ts";
import { readSettings } from "../../../server/settings.ts";
import { systemClock } from "../../../shared/clock.ts";
import { createJsonLog } from "../../../shared/telemetry/log.ts";
import { createHttp, type HttpClient } from "../../e2e/http.ts";
import { endsInOrder, watching, watchOfConfigMaps } from "./told-to-end.ts";

describe("the embedded host", () => {
  let folder: string;
  let logged: string[];
  let hosts: Host[];
  let clients: HttpClient[];
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "coracle-host-"));
    [logged, hosts, clients] = [[], [], []];
  });
  afterEach(async () => {
    for (const client of clients) client.close();
    for (const host of hosts) await host.close();
    await rm(folder, { recursive: true, force: true });
  });

  const start = async (): Promise<Host> => {
    const log = createJsonLog((line) => logged.push(line), Date.now, "warn");
    const settings = readSettings({ CORACLE_DATA_DIR: folder, CORACLE_PORT: "0", CORACLE_NODES: "0", CORACLE_RUNTIME: "hollow" });
    const host = await startHost(settings, systemClock, log);
    hosts.push(host);
    return host;
  };
  const end = async (): Promise<void> => hosts.pop()?.close();
  const clientOf = ({ url, kubeconfig, admin }: Host): HttpClient => {
    const { ca } = JSON.parse(readFileSync(admin, "utf8"));
    const client = createHttp(url, ca, parse(readFileSync(kubeconfig, "utf8")).users[0].user.token);
    clients.push(client);
    return client;
  };

  it("ends its watches with a bookmark when it is told to end, and finishes what is under way", async () => {
    const client = clientOf(await start());
    await endsInOrder({ client, path: "/clusters/default", close: end, elsewhere: async () => clientOf(await start()) });
    expect(logged).toEqual([]);
  });

  it("ends at once where nobody but watchers is there", async () => {
    const client = clientOf(await start());
    const seen = Array.from({ length: 20 }, () => watching(client, `/clusters/default${watchOfConfigMaps}&resourceVersion=1`));
    await client.send("/clusters/default/api/v1/namespaces");
    const before = Date.now();
    await end();
    expect(Date.now() - before).toBeLessThan(4000);
    await Promise.all(seen.map(({ ended }) => ended));
  });
});
