import { mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { openCli, serverUrl } from "./fixture.ts";

describe("coracle", () => {
  let cli: Awaited<ReturnType<typeof openCli>>;
  beforeEach(async () => {
    cli = await openCli();
  });
  afterEach(() => cli.dispose());

  const ok = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await cli.run(...args);
    if (code !== 0) throw new Error(`exit code ${code}: ${stderr}`);
    return stdout;
  };
  const poolOf = async (name: string): Promise<string> => JSON.parse(await ok("pool", "get", name, "-o", "json")).id;
  const joinMachine = async (pool: string, name: string) => {
    const { token } = await cli.bench.platform.joinTokens.create("acme", pool, { ttlSeconds: 60 });
    return cli.bench.platform.nodes.join(token, { name, machineId: name, runtime: "process" });
  };

  describe("cluster", () => {
    it("creates, lists, resizes, labels, renames and deletes", async () => {
      const created = await ok("cluster", "create", "dev", "--nodes", "2", "-l", "team=core");
      expect(created).toMatch(/^NAME +STATE +NODES +VERSION +AGE\ndev +ready +2 +v1\.33\.0 +0s\n$/);
      await ok("cluster", "create", "prod");
      expect((await ok("cluster", "list")).split("\n")).toHaveLength(4);
      expect(await ok("cluster", "ls", "-o", "name")).toBe("cluster/dev\ncluster/prod\n");
      expect(JSON.parse(await ok("cluster", "resize", "dev", "-n", "5", "-o", "json"))).toMatchObject({ nodes: 5 });
      await ok("cluster", "update", "dev", "--name", "test", "-l", "team-", "-l", "a=b");
      expect(parse(await ok("cluster", "get", "test", "-o", "yaml"))).toMatchObject({ name: "test", labels: { a: "b" } });
      expect(await ok("cluster", "delete", "test", "--no-wait")).toBe("cluster/test is being deleted\n");
    });

    it("is found by its id too", async () => {
      const { id } = JSON.parse(await ok("cluster", "create", "dev", "-o", "json"));
      expect(await ok("cluster", "get", id, "-o", "name")).toBe("cluster/dev\n");
    });

    it("waits until a deleted cluster is gone, and not for ever", async () => {
      await ok("cluster", "create", "dev");
      cli.bench.world.deleting = "pending";
      const late = await cli.run("cluster", "delete", "dev", "--timeout", "5s");
      expect(late).toMatchObject({ code: 6, stderr: "coracle: timed out after 5 s: deleting cluster dev\n" });
      cli.bench.world.deleting = "done";
      cli.bench.platform.reaper.start();
      expect(await ok("cluster", "delete", "dev")).toBe("cluster/dev deleted\n");
    });

    it("waits for a cluster that is not ready at once", async () => {
      cli.bench.world.readyAtOnce = false;
      const creating = cli.run("cluster", "create", "dev", "-o", "json");
      await expect.poll(() => cli.bench.platform.clusters.findByName("acme", "dev")).toBeDefined();
      const found = await cli.bench.platform.clusters.findByName("acme", "dev");
      await cli.bench.platform.clusters.markReady("acme", found?.value.id ?? "");
      expect(JSON.parse((await creating).stdout).state).toBe("ready");
    });

    it("draws on a pool by name", async () => {
      await ok("pool", "create", "metal");
      expect(JSON.parse(await ok("cluster", "create", "dev", "--pool", "metal", "-o", "json")).pool).toBe(await poolOf("metal"));
    });

    it("lists every page", async () => {
      const { clusters } = cli.bench.platform;
      for (let index = 0; index < 205; index++) await clusters.create("acme", { name: `c${index}`, labels: {}, nodes: 0, runtime: "auto" });
      expect((await ok("cluster", "list", "-o", "name")).trim().split("\n")).toHaveLength(205);
    });
  });

  describe("credentials", () => {
    beforeEach(() => ok("cluster", "create", "dev"));

    it("print a kubeconfig", async () => {
      expect(parse(await ok("cluster", "kubeconfig", "dev"))).toMatchObject({ kind: "Config", "current-context": "coracle-dev" });
    });

    it("print an ExecCredential for kubectl, or the token alone", async () => {
      const credential = JSON.parse(await ok("cluster", "token", "dev", "--ttl", "10m", "--group", "dev"));
      expect(credential).toMatchObject({ apiVersion: "client.authentication.k8s.io/v1", kind: "ExecCredential" });
      expect(credential.status.expirationTimestamp).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
      expect((await cli.bench.tokens.verifyToken(credential.status.token))?.user.groups).toEqual(["dev", "system:authenticated"]);
      expect(await ok("cluster", "token", "dev", "--raw")).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+\n$/);
    });

    it("with --exec call this very program from anywhere, with the data directory it was found by", async () => {
      const directory = await dataDirectory("elsewhere");
      const config = parse(await ok("--data-dir", "elsewhere", "cluster", "kubeconfig", "dev", "--exec"));
      expect(config.users[0].user.exec).toMatchObject({
        command: "/opt/coracle/cli/coracle.mjs",
        args: ["cluster", "token", expect.stringMatching(/^cl-/), "--data-dir", directory],
      });
    });

    it("merge into a kubeconfig, replacing their own entries and nothing else", async () => {
      const path = join(cli.folder, "kube.yaml");
      cli.environment.KUBECONFIG = `${path}:/nonexistent`;
      const other =
        "# mine\napiVersion: v1\nkind: Config\ncurrent-context: old\nclusters:\n- name: old # keep\n  cluster: {server: https://old}\n";
      await writeFile(
        path,
        `${other}contexts:\n- {name: old, context: {cluster: old, user: old}}\nusers:\n- {name: old, user: {token: t}}\n`,
      );
      await ok("cluster", "kubeconfig", "dev", "--merge");
      const first = parse(await readFile(path, "utf8"));
      await ok("cluster", "kubeconfig", "dev", "--merge", "--user", "jane");
      const text = await readFile(path, "utf8");
      const second = parse(text);
      expect(text).toContain("# mine");
      expect(text).toContain("# keep");
      for (const list of ["clusters", "contexts", "users"]) {
        expect(second[list].map(({ name }: { name: string }) => name)).toEqual(["old", "coracle-dev"]);
      }
      expect(second["current-context"]).toBe("coracle-dev");
      expect(second.users[0]).toEqual({ name: "old", user: { token: "t" } });
      expect(second.users[1].user.token).not.toBe(first.users[1].user.token);
      expect((await stat(path)).mode & 0o777).toBe(0o600);
    });

    it("make a kubeconfig where there is none, and leave a file alone that is none", async () => {
      await ok("cluster", "kubeconfig", "dev", "--merge");
      expect(parse(await readFile(join(cli.folder, "home/.kube/config"), "utf8"))).toMatchObject({ "current-context": "coracle-dev" });
      const path = join(cli.folder, "poem");
      cli.environment.KUBECONFIG = path;
      await writeFile(path, "- roses\n");
      expect((await cli.run("cluster", "kubeconfig", "dev", "--merge")).code).toBe(1);
      expect(await readFile(path, "utf8")).toBe("- roses\n");
    });
  });

  describe("machines and tokens", () => {
    it("are listed, drained, taken back and deleted, wherever they are", async () => {
      await ok("cluster", "create", "dev");
      await ok("pool", "create", "metal", "--taint", "gpu=a100:NoSchedule", "--size", "1");
      await joinMachine(await poolOf("metal"), "n1");
      await joinMachine(await poolOf("dev"), "n2");
      expect((await ok("node", "list", "-o", "name")).trim().split("\n").sort()).toEqual(["node/n1", "node/n2"]);
      expect(await ok("node", "list", "--pool", "metal")).toMatch(/n1 +ready +process/);
      expect(await ok("node", "list", "--cluster", "dev", "-o", "name")).toBe("node/n2\n");
      cli.bench.platform.drainer.start();
      expect(await ok("node", "drain", "n1")).toBe("node/n1 drained\n");
      expect(await ok("node", "uncordon", "n1")).toBe("node/n1 uncordoned\n");
      expect(await ok("node", "delete", "n1")).toBe("node/n1 deleted\n");
      expect((await cli.run("node", "drain", "n1")).code).toBe(3);
      await ok("pool", "update", "metal", "--clear-taints", "--name", "iron");
      expect(JSON.parse(await ok("pool", "get", "iron", "-o", "json")).taints).toEqual([]);
      expect(await ok("pool", "delete", "iron")).toBe("pool/iron deleted\n");
    });

    it("join tokens are shown once on stdout alone, listed and revoked", async () => {
      await ok("cluster", "create", "dev");
      const made = await cli.run("token", "create", "--max-uses", "2", "--ttl", "1h");
      expect(made.stdout).toMatch(/^cj_live_\w+\n$/);
      expect(made.stderr).not.toContain(made.stdout.trim());
      const list = await ok("token", "list");
      expect(list).toMatch(/active +0\/2 +60m/);
      const [id = ""] = /jt-\w+/.exec(list) ?? [];
      await ok("token", "revoke", id);
      expect(await ok("token", "list", "--cluster", "dev")).toContain("revoked");
      expect((await cli.run("token", "revoke", "jt-none")).code).toBe(3);
    });

    it("API keys are made, listed and revoked", async () => {
      const key = (await ok("key", "create", "ci", "-s", "clusters:read")).trim();
      const list = await ok("key", "list");
      const [id = ""] = /key-\w+(?= +ci)/.exec(list) ?? [];
      cli.environment.CORACLE_API_KEY = key;
      await ok("cluster", "list");
      expect((await cli.run("cluster", "create", "x")).code).toBe(4);
      cli.environment.CORACLE_API_KEY = cli.bench.admin;
      expect(await ok("key", "revoke", id)).toBe(`api-key/${id} revoked\n`);
      cli.environment.CORACLE_API_KEY = key;
      expect((await cli.run("cluster", "list")).code).toBe(4);
    });

    it("a machine joins by a token made for it, until it is interrupted", async () => {
      await ok("cluster", "create", "dev");
      const joining = cli.run("node", "join", "--name", "n1", "--runtime", "process");
      await expect.poll(() => cli.joined).toHaveLength(1);
      cli.interrupt();
      expect((await joining).code).toBe(0);
      expect(cli.joined[0]).toMatchObject({ nodeName: "n1", runtime: "process", count: 1, serverUrl, directRoutes: false });
      const pool = await cli.bench.platform.pools.findByName("acme", "dev");
      const token = await cli.bench.platform.joinTokens.find(cli.joined[0]?.joinToken ?? "");
      expect(token?.value).toMatchObject({ maxUses: 1, pool: pool?.value.id });
    });

    it("a machine without a login joins by what it is given, and ends when it is taken out", async () => {
      cli.environment.CORACLE_URL = "";
      await writeFile(join(cli.folder, "ca.pem"), "PEM");
      const joining = cli.run(
        "node",
        "join",
        "--token",
        "cj_live_x",
        "--server",
        serverUrl,
        "--ca",
        "ca.pem",
        "--state-dir",
        "state",
        "--direct-routes",
      );
      await expect.poll(() => cli.joined).toHaveLength(1);
      cli.removeNode();
      expect(await joining).toMatchObject({ code: 0 });
      expect(cli.joined[0]).toMatchObject({
        ca: "PEM",
        joinToken: "cj_live_x",
        stateDirectory: join(cli.folder, "state"),
        directRoutes: true,
      });
      expect(cli.requests).toEqual([]);
    });

    it("only hollow nodes come in numbers", async () => {
      expect((await cli.run("node", "join", "--count", "3", "--runtime", "process")).code).toBe(2);
    });
  });

  async function dataDirectory(name: string): Promise<string> {
    const directory = join(cli.folder, name);
    await mkdir(directory, { recursive: true });
    await writeFile(join(directory, "admin.json"), JSON.stringify({ url: `${serverUrl}/`, apiKey: cli.bench.admin, ca: "CA" }));
    return directory;
  }

  describe("finds its server", () => {
    beforeEach(() => {
      cli.environment.CORACLE_URL = "";
    });
    const source = async (...args: string[]) => (await ok("whoami", ...args)).split("\n")[1];

    it("nowhere, and says what to do", async () => {
      const { code, stderr } = await cli.run("cluster", "list");
      expect(code).toBe(4);
      expect(stderr).toContain("coracle login");
    });

    it("in .coracle of the working directory without a word", async () => {
      await dataDirectory(".coracle");
      expect(await source()).toContain(".coracle/admin.json");
    });

    it("where --data-dir says, wherever in the line it stands, before all else", async () => {
      await dataDirectory(".coracle");
      await dataDirectory("other");
      expect(await source("--data-dir", "other")).toContain("other/admin.json");
      expect((await cli.run("whoami", "--data-dir", "none")).code).toBe(4);
    });

    it("by its login, which is stored for its owner alone and checked first", async () => {
      await writeFile(join(cli.folder, "ca.pem"), "CA");
      cli.type(`${cli.bench.admin}\n`);
      await ok("login", "--url", `${serverUrl}/`, "--api-key", "-", "--ca", "ca.pem");
      const path = join(cli.folder, "home/.config/coracle/config.json");
      expect(JSON.parse(await readFile(path, "utf8"))).toEqual({ url: serverUrl, apiKey: cli.bench.admin, ca: "CA" });
      expect((await stat(path)).mode & 0o777).toBe(0o600);
      expect(await source()).toContain("config.json");
      expect((await cli.run("login", "--url", serverUrl, "--api-key", "ck_live_wrong")).code).toBe(4);
      expect(JSON.parse(await readFile(path, "utf8")).apiKey).toBe(cli.bench.admin);
      expect((await cli.run("login", "--url", serverUrl)).code).toBe(2);
    });
  });

  describe("fails", () => {
    it.each<[string, string[], number, RegExp]>([
      ["on an unknown command", ["clutser"], 2, /unknown command/],
      ["on a missing argument", ["cluster", "create"], 2, /missing required argument/],
      ["on a value that is no number", ["cluster", "create", "a", "-n", "many"], 2, /whole number/],
      ["on an unknown format", ["cluster", "list", "-o", "xml"], 2, /Allowed choices/],
      ["on a name that the server refuses", ["cluster", "create", "Not_A_Name"], 2, /^coracle: name: a lower-case DNS label/],
      ["on what is not there", ["cluster", "get", "none"], 3, /^coracle: there is no cluster "none"\n$/],
      ["on what cannot be a name", ["cluster", "get", "../x"], 3, /there is no cluster/],
      ["on a token for no pool", ["token", "create"], 3, /no pool yet/],
    ])("%s with its exit code and one line", async (_, args, code, message) => {
      const result = await cli.run(...args);
      expect(result.code).toBe(code);
      expect(result.stderr).toMatch(message);
      expect(result.stderr).not.toContain("    at ");
    });

    it("on a name that is taken with 5, and on several pools with a question", async () => {
      await ok("cluster", "create", "a");
      expect((await cli.run("cluster", "create", "a")).code).toBe(5);
      await ok("cluster", "create", "b");
      expect(await cli.run("token", "create")).toMatchObject({ code: 2, stderr: expect.stringContaining("--pool") });
    });

    it("tries again when an answer is lost, and does nothing twice", async () => {
      cli.failNext(2);
      await ok("cluster", "create", "a");
      expect(cli.requests.filter((request) => request === "POST /v1/clusters")).toHaveLength(3);
      cli.failNext(3);
      const { code, stderr } = await cli.run("cluster", "list");
      expect([code, stderr]).toEqual([1, `coracle: ${serverUrl} cannot be reached: connect ECONNREFUSED\n`]);
    });

    it("waits for its own former attempt, which the server is still at", async () => {
      cli.busyNext(2);
      await ok("cluster", "create", "slow");
      expect(cli.requests.filter((request) => request === "POST /v1/clusters")).toHaveLength(3);
    });

    it("of the server's own name the request", async () => {
      cli.bench.faults.queryRecords = new Error("disk on fire");
      const { code, stderr } = await cli.run("cluster", "list");
      expect(code).toBe(1);
      expect(stderr).toMatch(/^coracle: The server failed\. .*\(request [0-9a-f-]{36}\)\n$/);
    });
  });

  describe("help", () => {
    it("is shown without a command, for commands and for exit codes", async () => {
      expect(await ok()).toContain("Usage: coracle");
      expect(await ok("help", "cluster", "create")).toContain("--nodes <count>");
      expect(await ok("cluster", "create", "--help")).toContain("--nodes <count>");
      expect(await ok("help", "exit-codes")).toMatch(/^CODE +MEANING\n0 +it is done\n/);
      expect((await cli.run("help", "nothing")).code).toBe(2);
      expect(await ok("version")).toBe("coracle 1.2.3\n");
    });
  });

  it("shows usage in hours, and refuses a time that is none", async () => {
    const { meter } = cli.bench.platform;
    meter.change("acme", { cluster: "dev", pool: "" }, { watches: 3 });
    cli.bench.clock.advance(600_000);
    meter.request({ tenant: "acme", cluster: "dev" }, "write");
    await cli.bench.platform.stop();
    const lines = (await ok("usage", "--from", "2d", "--granularity", "hour")).split("\n");
    expect(lines[0]?.split(/ {2,}/)).toEqual("START CLUSTER NODE-HOURS POD-HOURS CPU-HOURS GIB-HOURS READS WRITES WATCH-HOURS".split(" "));
    expect(lines[1]?.split(/ {2,}/)).toEqual(["2026-01-01T00:00Z", "dev", "0.00", "0.00", "0.00", "0.00", "0", "1", "0.50"]);
    expect((await cli.run("usage", "--from", "soon")).code).toBe(2);
  });
});
