// Runs Kubernetes' own conformance tests against the embedded host with hollow nodes. Run: npm run conformance -- --help
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { buildSuite } from "./build-suite.ts";
import { readReport, renderConformance } from "./report.ts";

const { values } = parseArgs({
  options: {
    sig: { type: "string", default: "api-machinery,apps,auth,cli,scheduling" },
    focus: { type: "string" },
    skip: { type: "string", default: "" },
    procs: { type: "string", default: "4" },
    nodes: { type: "string", default: "3" },
    runtime: { type: "string", default: "hollow" },
    kubeconfig: { type: "string" },
    cache: { type: "string", default: fileURLToPath(new URL("../../node_modules/.cache/conformance", import.meta.url)) },
    json: { type: "string" },
    help: { type: "boolean", default: false },
  },
});
const help = `npm run conformance -- [options]      needs Go; the first run builds the tests (some ten minutes)
  --sig LIST          special interest groups (api-machinery,apps,auth,cli,scheduling)
  --focus REGEXP      tests by name instead
  --skip REGEXP       but not these
  --procs N           tests at once (4)
  --nodes N --runtime R   of the embedded host that is started (3, hollow)
  --kubeconfig FILE   another cluster instead
  --cache DIRECTORY   where the built tests are kept (node_modules/.cache/conformance)
  --json FILE         ginkgo's own report
`;
const readyWithinMs = 60_000;
const repository = fileURLToPath(new URL("../..", import.meta.url));

interface Server {
  readonly kubeconfig: string;
  stop(): Promise<void>;
}

/** The embedded host over a fresh data directory, ready with its nodes asked for. */
async function startServer(): Promise<Server> {
  const directory = mkdtempSync(join(tmpdir(), "coracle-conformance-"));
  const environment = { CORACLE_DATA_DIR: directory, CORACLE_PORT: "0", CORACLE_NODES: values.nodes, CORACLE_RUNTIME: values.runtime };
  const child = spawn("npm", ["start", "--silent"], {
    cwd: repository,
    env: { ...process.env, ...environment },
    stdio: ["ignore", "pipe", "inherit"],
    detached: true,
  });
  await isReady(child);
  return {
    kubeconfig: join(directory, "kubeconfig"),
    async stop() {
      if (child.pid !== undefined) process.kill(-child.pid, "SIGTERM");
      await Promise.race([once(child, "exit"), delay(10_000)]);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

async function isReady(child: ChildProcess): Promise<void> {
  let output = "";
  child.stdout?.on("data", (chunk: Buffer) => {
    output += chunk.toString();
  });
  for (const startedAt = Date.now(); !output.includes("is ready"); await delay(100)) {
    if (child.exitCode !== null || Date.now() - startedAt > readyWithinMs) throw new Error(`the server did not get ready: ${output}`);
  }
}

async function main(): Promise<boolean> {
  mkdirSync(values.cache, { recursive: true });
  const suite = buildSuite(resolve(values.cache));
  const server = values.kubeconfig === undefined ? await startServer() : { kubeconfig: resolve(values.kubeconfig), stop: async () => {} };
  const output = mkdtempSync(join(tmpdir(), "coracle-conformance-report-"));
  const focus = values.focus ?? `\\[sig-(${values.sig.split(",").join("|")})\\].*\\[Conformance\\]`;
  try {
    const ginkgo = [
      `--procs=${values.procs}`,
      "--no-color",
      "--silence-skips",
      `--focus=${focus}`,
      ...(values.skip === "" ? [] : [`--skip=${values.skip}`]),
    ];
    const tests = [`--kubeconfig=${server.kubeconfig}`, "--provider=skeleton", "--node-os-distro=custom", "--allowed-not-ready-nodes=0"];
    const run = spawn(
      suite.ginkgo,
      [...ginkgo, "--timeout=4h", "--json-report=report.json", `--output-dir=${output}`, suite.test, "--", ...tests],
      { stdio: ["ignore", "inherit", "inherit"] },
    );
    await once(run, "exit");
    const json = readFileSync(join(output, "report.json"), "utf8");
    if (values.json !== undefined) writeFileSync(values.json, json);
    const results = readReport(json);
    process.stdout.write(`\n${renderConformance(results)}\n`);
    return results.length > 0 && results.every(({ passed }) => passed);
  } finally {
    await server.stop();
    rmSync(output, { recursive: true, force: true });
  }
}

if (values.help) process.stdout.write(help);
else if (!(await main())) process.exitCode = 1;
