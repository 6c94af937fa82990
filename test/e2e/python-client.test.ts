import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { fetchPythonClient } from "./clients/fetched.ts";
import { runCommand } from "./commands.ts";
import { describeWith } from "./needs.ts";
import { type ServerFixture, startServer } from "./server-fixture.ts";

const client = await fetchPythonClient();

describeWith([client.need], "the Python client of Kubernetes", () => {
  let server: ServerFixture;
  beforeAll(async () => {
    server = await startServer({ nodes: 2, runtime: "hollow" });
  });
  afterAll(() => server?.stop());

  const run = async (scenario: string): Promise<string> => {
    const script = join(import.meta.dirname, "clients", "client.py");
    const environment = { KUBECONFIG: server.kubeconfig, PYTHONDONTWRITEBYTECODE: "1" };
    return (await runCommand(client.path, [script, scenario], { environment, timeoutSeconds: 150 })).stdout;
  };

  it("creates, watches, patches, lists and deletes pods, and reads refusals", async () => {
    expect(await run("pods")).toBe("done\n");
  });
  it("rolls out and scales a deployment, is told of a stale update, and deletes it with its pods", async () => {
    expect(await run("deployments")).toBe("done\n");
  });
  it("goes on with a watch from the version where it stopped, and reads lists in pages", async () => {
    expect(await run("resumed")).toBe("done\n");
  });
  it("defines a kind and finds it in discovery, creates, patches, applies and deletes its objects", async () => {
    expect(await run("custom")).toBe("done\n");
  });
});
