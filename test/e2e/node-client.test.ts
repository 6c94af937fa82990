import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { z } from "zod";
import { fetchNodeClient } from "./clients/fetched.ts";
import { untilTrue } from "./eventually.ts";
import { describeWith } from "./needs.ts";
import { type Following, follow } from "./processes.ts";
import { type ServerFixture, startServer } from "./server-fixture.ts";

const heardLine = z.object({ event: z.string(), name: z.string().optional(), value: z.string().optional() });
type Heard = z.infer<typeof heardLine>;

const configMaps = "/api/v1/namespaces/default/configmaps";
const client = await fetchNodeClient();

describeWith([client.need], "an informer of @kubernetes/client-node", () => {
  let server: ServerFixture;
  let informer: Following;
  beforeAll(async () => {
    server = await startServer();
    await write("before", "0");
    const script = join(import.meta.dirname, "clients", "informer.mjs");
    informer = follow(process.execPath, [script, join(client.path, ".."), "default"], { KUBECONFIG: server.kubeconfig });
  });
  afterAll(async () => {
    informer?.stop();
    await informer?.ended;
    await server?.stop();
  });

  const heard = (): Heard[] => {
    if (informer.exitCode() !== undefined) throw new Error(`the informer ended: ${informer.text()}`);
    return informer
      .text()
      .split("\n")
      .slice(0, -1)
      .map((line) => heardLine.parse(JSON.parse(line)));
  };
  const changes = (): string[] =>
    heard().flatMap(({ event, name, value }) => (name === undefined ? [] : [`${event} ${name} ${value ?? ""}`]));
  const count = (event: string): number => heard().filter((line) => line.event === event).length;
  const write = async (name: string, value: string, method = "POST"): Promise<void> => {
    const body = { apiVersion: "v1", kind: "ConfigMap", metadata: { name, labels: { seen: "yes" } }, data: { value } };
    const { status, text } = await server.api.send(method === "POST" ? configMaps : `${configMaps}/${name}`, { method, body });
    if (status > 201) throw new Error(`${method} ${name}: ${status} ${text}`);
  };
  const erase = async (name: string): Promise<void> => {
    expect((await server.api.send(`${configMaps}/${name}`, { method: "DELETE" })).status).toBe(200);
  };

  it("hears every change once and in order, over restarts of the server", async () => {
    const expected = ["add before 0"];
    const hearsAll = (): Promise<true> =>
      untilTrue(`the informer hears ${expected.length} changes: ${expected.at(-1)}`, async () => changes().length >= expected.length);
    await hearsAll();
    for (let round = 1; round <= 3; round++) {
      const connected = count("connect");
      // The last write may be on its way when the server goes; what was answered must be told all the same.
      await write(`made-${round}`, `${round}`);
      await write("before", `${round}`, "PUT");
      expected.push(`add made-${round} ${round}`, `update before ${round}`);
      await (round === 2 ? server.kill("SIGKILL") : server.kill("SIGTERM"));
      await server.restart();
      await write(`made-${round}`, `${round}+`, "PUT");
      await erase(`made-${round}`);
      expected.push(`update made-${round} ${round}+`, `delete made-${round} ${round}+`);
      await hearsAll();
      expect(count("connect"), "the watch was opened again").toBeGreaterThan(connected);
    }
    expect(changes()).toEqual(expected);
    expect(count("list"), "the watch was resumed from its resourceVersion, not listed again").toBe(1);
  });
});
