import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import { bundlePrograms } from "../../../scripts/bundle-programs.ts";
import { stampOf } from "../../../shared/compiled.mjs";

const root = join(import.meta.dirname, "..", "..", "..");
/** Packages that are not bundled are looked for from there. */
const folder = join(root, "node_modules", ".cache", `bundle-test-${process.pid}`);
const state = mkdtempSync(join(tmpdir(), "coracle-bundle-test-"));

beforeAll(() => bundlePrograms(folder).then(() => {}), 60_000);
afterAll(() => {
  for (const made of [folder, state]) rmSync(made, { recursive: true, force: true });
});

const manifest = () => JSON.parse(readFileSync(join(folder, "manifest.json"), "utf8"));
const program = (source: string): string => join(folder, manifest().programs[source]);

it("names each program and every source that it was made of", () => {
  const { programs, inputs } = manifest();
  expect(Object.keys(programs).sort()).toEqual(["cli/main.ts", "server/container/run.ts", "server/run.ts"]);
  expect(Object.values(programs).every((file) => existsSync(join(folder, String(file))))).toBe(true);
  for (const source of ["server/run.ts", "shared/store/lmdb/lmdb-store.ts", "agent/main.ts", "node_modules/.package-lock.json"])
    expect(inputs[source]).toBe(stampOf(source));
  expect(Object.keys(inputs).filter((path) => path.startsWith("node_modules/"))).toEqual(["node_modules/.package-lock.json"]);
});

/** Runs `source` of a module in a process of its own. */
function start(source: string, env: Record<string, string> = {}) {
  const child = spawn(process.execPath, ["--input-type=module", "-e", source], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const written: string[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text: string) => written.push(text));
  return { child, written: () => written.join(""), ended: once(child, "close") };
}

const imported = (source: string): string => JSON.stringify(pathToFileURL(program(source)).href);

/** What the command line prints. */
async function coracle(...args: string[]): Promise<string> {
  const argv = JSON.stringify(["node", "coracle", "--data-dir", state, ...args]);
  const { written, ended } = start(
    `process.argv = ${argv}; const { main } = await import(${imported("cli/main.ts")}); process.exitCode = await main();`,
  );
  await ended;
  return written();
}

it("start as the sources do, and find the data that lies beside them and what packages export", async () => {
  const host = start(`const { run } = await import(${imported("server/run.ts")}); await run(process.env);`, {
    ...{ CORACLE_DATA_DIR: state, CORACLE_PORT: "0", CORACLE_RUNTIME: "hollow" },
  });
  try {
    await expect.poll(host.written, { timeout: 20_000 }).toContain("Coracle is ready");
    // undici, a spinner and YAML are imported when they are needed.
    expect(await coracle("cluster", "create", "dev", "--nodes", "1", "--runtime", "hollow", "-o", "yaml")).toContain("\nname: dev\n");
    // The base of a cluster and its kinds are read from beside their sources.
    const kubeconfig = await coracle("cluster", "kubeconfig", "dev");
    const [, url] = /server: "?([^"\s]+)/.exec(kubeconfig) ?? [];
    const [, token] = /token: "?([^"\s]+)/.exec(readFileSync(join(state, "kubeconfig"), "utf8")) ?? [];
    expect(url).toMatch(/^https:.*\/clusters\/cl-/);
    const asked = request(`${url?.replace(/cl-.*/, "default")}/api/v1/namespaces/default`, {
      ...{ rejectUnauthorized: false, headers: { authorization: `Bearer ${token}` } },
    }).end();
    const [{ statusCode }] = await once(asked, "response");
    expect([statusCode, host.written()]).toEqual([200, expect.not.stringContaining('"level":"error"')]);
  } finally {
    host.child.kill("SIGTERM");
    await host.ended;
  }
}, 60_000);
