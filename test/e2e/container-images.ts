import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { ContainerdFixture } from "./containerd-fixture.ts";

const run = promisify(execFile);

export interface TestImage {
  readonly name: string;
  /** As in the image specification: `Env`, `Entrypoint`, `Cmd`. */
  readonly config: object;
  /** Puts the files of the image into a directory. */
  fill(root: string): Promise<void>;
}

/** Writes a one-layer image in the format of `docker save` and imports it into the containerd behind a socket. */
export async function importImage(socket: string, directory: string, { name, config, fill }: TestImage): Promise<void> {
  const work = await mkdtemp(join(directory, "image-"));
  const root = join(work, "root");
  await mkdir(root);
  await fill(root);
  await run("tar", ["-C", root, "--owner=0", "--group=0", "-cf", join(work, "layer.tar"), "."]);
  const layer = await readFile(join(work, "layer.tar"));
  const document = {
    architecture: process.arch === "x64" ? "amd64" : process.arch,
    os: "linux",
    config,
    rootfs: { type: "layers", diff_ids: [`sha256:${createHash("sha256").update(layer).digest("hex")}`] },
  };
  await writeFile(join(work, "config.json"), JSON.stringify(document));
  await writeFile(join(work, "manifest.json"), JSON.stringify([{ Config: "config.json", RepoTags: [name], Layers: ["layer.tar"] }]));
  await run("tar", ["-C", work, "-cf", join(work, "image.tar"), "manifest.json", "config.json", "layer.tar"]);
  await run("ctr", ["-a", socket, "-n", "k8s.io", "images", "import", join(work, "image.tar")]);
  await rm(work, { recursive: true, force: true });
}

/** A client of the Kubernetes API that knows nothing but what is mounted into every pod; its arguments are `METHOD PATH` pairs. */
export const apiClientImage = "localhost/api-client:1";

/** Builds the client as a static program and puts it, alone, into an image. */
export async function importApiClient({ socket, directory }: ContainerdFixture): Promise<void> {
  const source = fileURLToPath(new URL("images/api-client", import.meta.url));
  await importImage(socket, directory, {
    name: apiClientImage,
    config: { Entrypoint: ["/api-client"] },
    async fill(root) {
      const env = { ...process.env, CGO_ENABLED: "0", GOFLAGS: "-mod=mod", GOTOOLCHAIN: "local", GO111MODULE: "on" };
      await run("go", ["build", "-trimpath", "-ldflags=-s -w", "-o", join(root, "api-client"), "."], { cwd: source, env });
    },
  });
}
