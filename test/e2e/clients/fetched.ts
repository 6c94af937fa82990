import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { findProgram, type Need } from "../needs.ts";

/** A client that a registry has, kept in the cache of the user, and what is missing where it cannot be had. */
export interface Fetched {
  readonly need: Need;
  /** A program, or the folder of a library. */
  readonly path: string;
}

interface Recipe {
  readonly name: string;
  readonly version: string;
  readonly programs: readonly string[];
  /** What the recipe leaves in its folder. */
  readonly result: string;
  /** Some clients know the place where they were made: those are made where they stay. */
  readonly inPlace?: boolean;
  make(folder: string): Promise<void>;
}

const execute = promisify(execFile);
const run = async (program: string, args: readonly string[], cwd: string): Promise<void> => {
  await execute(program, [...args], { cwd, maxBuffer: 64 * 1024 * 1024 });
};

async function fetch({ name, version, programs, result, inPlace = false, make }: Recipe): Promise<Fetched> {
  const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "coracle");
  const folder = join(cache, `${name}-${version}`);
  const path = join(folder, result);
  const answer = (missing: string | undefined): Fetched => ({ path, need: { name: `${name} ${version}`, missing } });
  if (existsSync(path)) return answer(undefined);
  for (const program of programs) if (!findProgram(program)) return answer(`no ${program} on the PATH`);
  try {
    await mkdir(cache, { recursive: true });
    if (inPlace) {
      await mkdir(folder, { recursive: true });
      await make(folder);
    } else {
      const scratch = await mkdtemp(join(cache, "fetch-"));
      await make(scratch);
      // Another run may have been faster: both have the same files.
      await rename(scratch, folder).catch(() => rm(scratch, { recursive: true, force: true }));
    }
    return answer(existsSync(path) ? undefined : `${name} could not be made`);
  } catch (error) {
    return answer(`${name} ${version} could not be fetched: ${error instanceof Error ? error.message.split("\n")[0] : error}`);
  }
}

/** The Kubernetes project's client for Node: a folder with its `node_modules`. It brings sixty packages, too many for the lock file. */
export const fetchNodeClient = (): Promise<Fetched> =>
  fetch({
    name: "kubernetes-client-node",
    version: "2.0.1",
    programs: ["npm"],
    result: "node_modules",
    make: (folder) =>
      run(
        "npm",
        ["install", "--prefix", folder, "--ignore-scripts", "--no-audit", "--no-fund", "--silent", "@kubernetes/client-node@2.0.1"],
        folder,
      ),
  });

/** The Kubernetes project's client for Python: the interpreter of an environment that has it. */
export const fetchPythonClient = (): Promise<Fetched> =>
  fetch({
    name: "kubernetes-client-python",
    version: "33.1.0",
    programs: ["python3"],
    result: join("bin", "with-kubernetes"),
    inPlace: true,
    make: async (folder) => {
      await run("python3", ["-m", "venv", folder], folder);
      await run(join(folder, "bin", "pip"), ["install", "--quiet", "--disable-pip-version-check", "kubernetes==33.1.0"], folder);
      // Written last, so that an environment left half made is not taken for one.
      await writeFile(join(folder, "bin", "with-kubernetes"), `#!/bin/sh\nexec '${join(folder, "bin", "python3")}' "$@"\n`, {
        mode: 0o755,
      });
    },
  });

/** Version 3 sends patches, version 4 has the server apply. */
export const helmVersions = ["3.18.4", "4.0.0"] as const;

/** Helm, built by Go from its sources: about two minutes of two processors, once. */
export const fetchHelm = (version: (typeof helmVersions)[number]): Promise<Fetched> =>
  fetch({
    name: "helm",
    version,
    programs: ["go"],
    result: "helm",
    make: async (folder) => {
      const command = `helm.sh/helm/v${version.charAt(0)}/cmd/helm`;
      await writeFile(join(folder, "go.mod"), "module client\n\ngo 1.24.0\n");
      // Names the program, so that `go get` keeps the sums of all that it is built from.
      await writeFile(join(folder, "client.go"), `//go:build client\n\npackage client\n\nimport _ "${command}"\n`);
      await run("go", ["get", `${command}@v${version}`], folder);
      await run("go", ["build", "-trimpath", "-ldflags", "-s -w", "-o", "helm", command], folder);
    },
  });

const goProgram = join(import.meta.dirname, "client-go");
const goSources = ["main.go", "objects.go", "watching.go"] as const;

/** A program of ours that uses the Kubernetes project's client for Go, built anew when its sources change: about a minute the first time. */
export async function fetchGoClient(): Promise<Fetched> {
  const texts = await Promise.all(goSources.map((name) => readFile(join(goProgram, name), "utf8")));
  const version = "0.33.13";
  return fetch({
    name: "client-go",
    version: `${version}-${createHash("sha256").update(texts.join("")).digest("hex").slice(0, 8)}`,
    programs: ["go"],
    result: "client-go",
    make: async (folder) => {
      await writeFile(join(folder, "go.mod"), "module client\n\ngo 1.24.0\n");
      for (const [index, name] of goSources.entries()) await writeFile(join(folder, name), texts[index] ?? "");
      await run("go", ["get", `k8s.io/client-go@v${version}`, `k8s.io/api@v${version}`, `k8s.io/apimachinery@v${version}`], folder);
      await run("go", ["mod", "tidy"], folder);
      await run("go", ["build", "-trimpath", "-ldflags", "-s -w", "-o", "client-go", "."], folder);
    },
  });
}
