import { spawn } from "node:child_process";
import { copyFile, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { bundleContainer } from "../../infra/bundle.ts";
import { fetchDynamoDbLocal } from "../contract/dynamodb-local.ts";
import { runCommand } from "./commands.ts";
import { describeWith, needs } from "./needs.ts";
import { type Begin, createTenantCluster, startTableServers, type TableServers } from "./servers-fixture.ts";

const local = await fetchDynamoDbLocal();
const base = "localhost/node";
const image = "localhost/coracle-server";

/** A base image of what runs this test: images of a registry are not asked for. */
async function fillBase(folder: string): Promise<void> {
  const put = async (file: string, target = file): Promise<void> => {
    await mkdir(dirname(join(folder, "root", target)), { recursive: true });
    await copyFile(file, join(folder, "root", target));
  };
  await put(process.execPath, "/usr/local/bin/node");
  const { stdout } = await runCommand("ldd", [process.execPath]);
  for (const [library] of stdout.matchAll(/\/\S+/g)) await put(library);
  await writeFile(join(folder, "Dockerfile"), "FROM scratch\nCOPY root /\nENV PATH=/usr/local/bin\n");
}

describeWith([local.need, needs.buildah, needs.root, needs.linux], "the image of the container", () => {
  let scratch: string;
  let fixture: TableServers;
  let buildah: (...args: string[]) => Promise<string>;

  beforeAll(async () => {
    scratch = await mkdtemp(join(tmpdir(), "coracle-image-"));
    const storage = ["--root", join(scratch, "storage"), "--runroot", join(scratch, "run"), "--storage-driver", "vfs"];
    buildah = async (...args) => (await runCommand("buildah", [...storage, ...args], { timeoutSeconds: 120 })).stdout.trim();
    const build = ["build", "--quiet", "--isolation", "chroot"];
    await Promise.all([fillBase(join(scratch, "base")), bundleContainer(join(scratch, "context"))]);
    await buildah(...build, "--tag", base, join(scratch, "base"));
    await buildah(...build, "--build-arg", `NODE_IMAGE=${base}`, "--tag", image, join(scratch, "context"));
    const command = await buildah("inspect", "--type", "image", "--format", "{{range .OCIv1.Config.Cmd}}{{println .}}{{end}}", image);
    const container = await buildah("from", "--pull-never", image);
    const begin: Begin = (environment, home) => {
      const variables = Object.entries(environment).flatMap(([name, value]) => ["--env", `${name}=${value}`]);
      const run = ["run", "--isolation", "chroot", "--volume", `${home}:${home}`, ...variables, container, "--", ...command.split("\n")];
      return spawn("buildah", [...storage, ...run], { stdio: ["ignore", "pipe", "pipe"] });
    };
    fixture = await startTableServers(local.folder, 1, begin);
  }, 180_000);
  afterAll(async () => {
    // It takes along what runs in it.
    await fixture?.servers[0]?.kill("SIGTERM");
    await fixture?.stop();
    await rm(scratch, { recursive: true, force: true });
  });

  it("is not run as root, and says which port it is meant for", async () => {
    const format = "{{.OCIv1.Config.User}} {{range $port, $_ := .OCIv1.Config.ExposedPorts}}{{$port}}{{end}}";
    expect(await buildah("inspect", "--type", "image", "--format", format, image)).toBe("1000:1000 7443/tcp");
  });

  it("serves clusters from the bundle alone", async () => {
    const { path, token } = await createTenantCluster(fixture);
    const [client] = fixture.clients(path, token);
    const body = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "a" } };
    expect((await client?.send("/api/v1/namespaces/default/configmaps", { method: "POST", body }))?.status).toBe(201);
    for (const document of ["/openapi/v3", "/openapi/v2", "/apis", "/api/v1/namespaces/default/configmaps?limit=1"])
      expect([document, (await client?.send(document))?.status]).toEqual([document, 200]);
    const [root] = fixture.clients("", "none");
    for (const path of ["/healthz", "/readyz"]) expect((await root?.send(path, { token: "none" }))?.status).toBe(200);
  });
});
