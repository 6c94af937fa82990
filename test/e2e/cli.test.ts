import { type ChildProcess, spawn } from "node:child_process";
import { access, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** The real command against the real server, over HTTPS with its own authority. */
describe("the coracle command", () => {
  let folder: string;
  let server: ChildProcess;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "coracle-cli-e2e-"));
    const environment = {
      ...process.env,
      CORACLE_DATA_DIR: join(folder, ".coracle"),
      CORACLE_PORT: "0",
      CORACLE_RUNTIME: "hollow",
      CORACLE_NODES: "0",
    };
    server = spawn(process.execPath, [join(root, "server/main.mjs")], {
      cwd: folder,
      env: environment,
      stdio: ["ignore", "pipe", "inherit"],
    });
    await new Promise<void>((resolve, reject) => {
      server.stdout?.on("data", (chunk: Buffer) => chunk.toString().includes("ready") && resolve());
      server.once("exit", (code) => reject(new Error(`the server ended with ${code}`)));
    });
  });
  afterAll(async () => {
    const ended = new Promise((resolve) => server.once("exit", resolve));
    server.kill("SIGTERM");
    await ended;
    await rm(folder, { recursive: true, force: true });
  });

  function coracle(...args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
    const { CORACLE_DATA_DIR: _, CORACLE_URL: __, ...environment } = process.env;
    const env = { ...environment, HOME: folder, KUBECONFIG: "" };
    const child = spawn(join(root, "cli/coracle.mjs"), args, { cwd: folder, env, stdio: ["ignore", "pipe", "pipe"] });
    const [stdout, stderr] = [child.stdout, child.stderr].map((stream) => {
      const chunks: Buffer[] = [];
      stream.on("data", (chunk: Buffer) => chunks.push(chunk));
      return chunks;
    });
    return new Promise((resolve) =>
      child.once("close", (code) => {
        resolve({ code, stdout: Buffer.concat(stdout ?? []).toString(), stderr: Buffer.concat(stderr ?? []).toString() });
      }),
    );
  }

  it("turns a cluster up and down with nothing to type but its name", async () => {
    expect(await coracle("cluster", "create", "dev", "-n", "2", "--runtime", "hollow")).toMatchObject({ code: 0 });
    const nodes = async () => (await coracle("node", "list", "--cluster", "dev", "-o", "name")).stdout;
    await expect.poll(nodes, { timeout: 20_000 }).toBe("node/dev-0\nnode/dev-1\n");
    const kubeconfig = parse((await coracle("cluster", "kubeconfig", "dev")).stdout);
    expect(kubeconfig.clusters[0].cluster.server).toMatch(/^https:\/\/127\.0\.0\.1:\d+\/clusters\/cl-/);
    expect(await coracle("cluster", "kubeconfig", "dev", "--exec", "--merge")).toMatchObject({ code: 0 });
    const { command, args } = parse(await readFile(join(folder, ".kube/config"), "utf8")).users[0].user.exec;
    await access(command);
    expect(args).toContain(join(folder, ".coracle"));
    expect(await coracle("cluster", "delete", "dev")).toMatchObject({ code: 0, stdout: "cluster/dev deleted\n" });
    expect((await coracle("cluster", "get", "dev")).code).toBe(3);
  });

  it("runs a node until it is interrupted", async () => {
    await coracle("pool", "create", "metal");
    const args = ["node", "join", "--pool", "metal", "--runtime", "hollow", "--name", "n1", "--state-dir", "agent"];
    const agent = spawn(join(root, "cli/coracle.mjs"), args, {
      cwd: folder,
      env: { ...process.env, HOME: folder },
      stdio: ["ignore", "ignore", "pipe"],
    });
    const ended = new Promise((resolve) => agent.once("exit", (code) => resolve(code)));
    await expect
      .poll(async () => (await coracle("node", "list", "--pool", "metal", "-o", "name")).stdout, { timeout: 20_000 })
      .toBe("node/n1\n");
    agent.kill("SIGINT");
    expect(await ended).toBe(0);
    expect(await coracle("node", "delete", "n1")).toMatchObject({ code: 0 });
    expect(await coracle("pool", "delete", "metal")).toMatchObject({ code: 0 });
  });

  it("ends with a code and one line when it fails", async () => {
    expect(await coracle("cluster", "get", "none")).toEqual({ code: 3, stdout: "", stderr: 'coracle: there is no cluster "none"\n' });
    expect((await coracle("nonsense")).code).toBe(2);
    expect((await coracle("--data-dir", "nowhere", "cluster", "list")).code).toBe(4);
  });
});
