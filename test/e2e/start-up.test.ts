import { readdir, readFile, stat } from "node:fs/promises";
import { join, relative } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runCommand } from "./commands.ts";
import { untilTrue } from "./eventually.ts";
import { type ServerFixture, startServer } from "./server-fixture.ts";

describe("a start of the embedded host", () => {
  let server: ServerFixture;
  beforeAll(async () => {
    server = await startServer();
  });
  afterAll(() => server?.stop());

  it("keeps everything it writes to its owner", async () => {
    const modeOf = async (name: string): Promise<string> => ((await stat(join(server.dataDirectory, name))).mode & 0o777).toString(8);
    expect(await modeOf(".")).toBe("700");
    const entries = await readdir(server.dataDirectory, { recursive: true, withFileTypes: true });
    const files = entries
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => relative(server.dataDirectory, join(parentPath, name)));
    expect(files).toEqual(expect.arrayContaining(["kubeconfig", "admin.json", "ca.key", "store/data.mdb"]));
    for (const name of files) expect([name, await modeOf(name)]).toEqual([name, "600"]);
  });

  it("prints where it listens, the kubeconfig and the key, and no secret", async () => {
    const { apiKey } = JSON.parse(await readFile(join(server.dataDirectory, "admin.json"), "utf8"));
    const output = server.output();
    expect(output).toContain(`Coracle is ready on ${server.url}`);
    expect(output).toContain(`export KUBECONFIG=${server.kubeconfig}`);
    expect(output).not.toContain(apiKey);
  });

  it("serves health, readiness and the version without a login", async () => {
    for (const path of ["/livez", "/readyz", "/healthz"]) {
      expect([path, (await server.api.send(path, { token: "none" })).status]).toEqual([path, 200]);
    }
    const version = await server.api.send("/version", { token: "none" });
    expect(version.json<{ gitVersion: string }>().gitVersion).toMatch(/^v1\.33\./);
  });

  it("refuses a second server over the same state, and says so in one line", async () => {
    const main = new URL("../../server/main.mjs", import.meta.url).pathname;
    const environment = { CORACLE_DATA_DIR: server.dataDirectory, CORACLE_PORT: "0" };
    const second = await runCommand(process.execPath, [main], { environment, mayFail: true });
    expect(second.code).toBe(1);
    expect(second.stderr).toMatch(/^coracle: .*\n$/);
    expect((await server.api.send("/api/v1/namespaces")).status).toBe(200);
  });

  it("refuses a port that is taken, and a setting that makes no sense, by naming the variable", async () => {
    const main = new URL("../../server/main.mjs", import.meta.url).pathname;
    const port = new URL(server.url).port;
    const directory = join(server.dataDirectory, "..", "other");
    const taken = await runCommand(process.execPath, [main], {
      environment: { CORACLE_DATA_DIR: directory, CORACLE_PORT: port },
      mayFail: true,
    });
    expect([taken.code, taken.stderr]).toEqual([1, `coracle: port ${port} is taken; choose another with CORACLE_PORT\n`]);
    const wrong = await runCommand(process.execPath, [main], { environment: { CORACLE_RUNTIME: "docker" }, mayFail: true });
    expect(wrong.code).toBe(1);
    expect(wrong.stderr).toContain("CORACLE_RUNTIME");
  });

  it("is ready within two seconds, and serves the same state after a restart", async () => {
    // One start may meet a busy machine: the best of a few is the server's own.
    const times = [server.startedInMs];
    while (times.length < 4 && Math.min(...times) >= 2000) {
      await server.restart();
      times.push(server.startedInMs);
    }
    expect(Math.min(...times)).toBeLessThan(2000);
    await server.restart();
    const found = await server.api.send("/api/v1/namespaces/default");
    expect(found.status, found.text + server.output()).toBe(200);
  });
});

describe("a start with a data directory below the working directory, as by default", () => {
  let server: ServerFixture;
  beforeAll(async () => {
    server = await startServer({ nodes: 1, runtime: "process", relative: true });
  });
  afterAll(() => server?.stop());

  it("runs pods and keeps their logs", async () => {
    const pods = "/api/v1/namespaces/default/pods";
    const container = { name: "main", image: "none", command: ["sh", "-c", "echo here; exec sleep 600"] };
    const pod = {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "p" },
      spec: { containers: [container], terminationGracePeriodSeconds: 1 },
    };
    await untilTrue("the pod is taken", async () => (await server.api.send(pods, { method: "POST", body: pod })).status === 201);
    await untilTrue("its log is there", async () => (await server.api.send(`${pods}/p/log`)).text === "here\n");
  });
});
