import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
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

it("starts as the sources do, and finds the data that lies beside them", async () => {
  const start = `const { run } = await import(${JSON.stringify(pathToFileURL(program("server/run.ts")).href)}); await run(process.env);`;
  const env = { ...process.env, CORACLE_DATA_DIR: state, CORACLE_PORT: "0", CORACLE_RUNTIME: "hollow" };
  const host = spawn(process.execPath, ["--input-type=module", "-e", start], { env, stdio: ["ignore", "pipe", "pipe"] });
  const lines: string[] = [];
  for (const stream of [host.stdout, host.stderr]) stream.setEncoding("utf8").on("data", (text: string) => lines.push(text));
  try {
    await expect.poll(() => lines.join(""), { timeout: 20_000 }).toContain("Coracle is ready");
    // The base of a cluster and the kinds it knows are read from beside their sources.
    const { request } = await import("node:https");
    const kubeconfig = readFileSync(join(state, "kubeconfig"), "utf8");
    const token = /token: "?([^"\s]+)/.exec(kubeconfig)?.[1];
    const url = /server: "?([^"\s]+)/.exec(kubeconfig)?.[1];
    const status = await new Promise((resolve, reject) => {
      const asked = request(`${url}/api/v1/namespaces/default`, {
        rejectUnauthorized: false,
        headers: { authorization: `Bearer ${token}` },
      });
      asked.on("response", (response) => resolve(response.resume().statusCode)).on("error", reject);
      asked.end();
    });
    expect([status, lines.join("")]).toEqual([200, expect.not.stringContaining('"level":"error"')]);
  } finally {
    host.kill("SIGTERM");
  }
});
