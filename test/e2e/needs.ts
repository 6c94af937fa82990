import { accessSync, constants, existsSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, it } from "vitest";

/** What a test needs of the machine it runs on. */
export interface Need {
  readonly name: string;
  /** Why it is not there; undefined when it is. */
  readonly missing: string | undefined;
}

/** The absolute path of a program, if the machine has it. */
export function findProgram(name: string): string | undefined {
  for (const directory of (process.env.PATH ?? "").split(":")) {
    const path = join(directory, name);
    if (isExecutable(path)) return path;
  }
  return undefined;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

const program = (name: string): Need => ({ name, missing: findProgram(name) === undefined ? `no ${name} on the PATH` : undefined });

export const needs = {
  kubectl: program("kubectl"),
  sh: program("sh"),
  curl: program("curl"),
  diff: program("diff"),
  go: program("go"),
  spin: program("spin"),
  gcc: program("gcc"),
  buildah: program("buildah"),
  root: { name: "root", missing: process.getuid?.() === 0 ? undefined : "not root" },
  linux: { name: "Linux", missing: process.platform === "linux" ? undefined : "not Linux" },
} as const satisfies Record<string, Need>;

/** Minor versions of kubectl that a server of 1.33 is asked to serve here, beyond what Kubernetes' skew policy promises. */
export const kubectlVersions = ["1.27", "1.28", "1.29", "1.30", "1.31", "1.32", "1.33"] as const;
export type KubectlVersion = (typeof kubectlVersions)[number];

/** `kubectl.1.27` … on the PATH, or beside the real kubectl. */
export function findKubectl(version?: KubectlVersion): string | undefined {
  const plain = findProgram("kubectl");
  if (version === undefined) return plain;
  const beside = plain === undefined ? undefined : join(dirname(realpathSync(plain)), `kubectl.${version}`);
  return beside !== undefined && existsSync(beside) ? beside : findProgram(`kubectl.${version}`);
}

export const kubectlOf = (version: KubectlVersion): Need => ({
  name: `kubectl ${version}`,
  missing: findKubectl(version) === undefined ? `no kubectl.${version}` : undefined,
});

const mayNotSkip = process.env.CORACLE_NO_SKIP === "1";

/** A suite that is skipped, with the reason in its title, where the machine lacks something; with CORACLE_NO_SKIP=1 it fails instead. */
export function describeWith(required: readonly Need[], title: string, suite: () => void): void {
  const missing = required.flatMap((need) => need.missing ?? []);
  if (missing.length === 0) describe(title, suite);
  else if (mayNotSkip) refuse(title, missing);
  else describe.skip(`${title} (skipped: ${missing.join(", ")})`, suite);
}

/** One test, as `describeWith`. */
export function itWith(required: readonly Need[], title: string, test: () => Promise<void>, timeoutMs?: number): void {
  const missing = required.flatMap((need) => need.missing ?? []);
  if (missing.length === 0) it(title, test, timeoutMs);
  else if (mayNotSkip) refuse(title, missing);
  else it.skip(`${title} (skipped: ${missing.join(", ")})`, test);
}

function refuse(title: string, missing: readonly string[]): void {
  it(title, () => {
    throw new Error(`CORACLE_NO_SKIP=1, but: ${missing.join(", ")}`);
  });
}
