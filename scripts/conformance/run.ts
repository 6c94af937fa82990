// Runs Kubernetes' own conformance tests against the embedded host with hollow nodes. Run: npm run conformance -- --help
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { z } from "zod";
import { type ServerFixture, startServer } from "../../test/e2e/server-fixture.ts";
import { buildSuite, type Suite } from "./build-suite.ts";
import { startContainerdHost } from "./containerd-host.ts";
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
const runtime = z.enum(["hollow", "process", "containerd"]);
const help = `npm run conformance -- [options]      needs Go; the first run builds the tests (some ten minutes)
  --sig LIST          special interest groups (api-machinery,apps,auth,cli,scheduling)
  --focus REGEXP      tests by name instead
  --skip REGEXP       but not these
  --procs N           tests at once (4)
  --nodes N --runtime R   of the embedded host that is started (3, hollow); containerd gets one of its own with the images that the
                      tests name, all of them agnhost, unless CONTAINER_RUNTIME_ENDPOINT names another
  --kubeconfig FILE   another cluster instead
  --cache DIRECTORY   where the built tests are kept (node_modules/.cache/conformance)
  --json FILE         ginkgo's own report
`;

/** The embedded host over a fresh data directory, and over a containerd with the tests' images where that is the runtime and no other is named. */
async function startHost({ agnhost }: Suite): Promise<Pick<ServerFixture, "kubeconfig" | "stop">> {
  const nodes = Number(values.nodes);
  if (values.runtime !== "containerd" || process.env.CONTAINER_RUNTIME_ENDPOINT !== undefined) {
    return await startServer({ nodes, runtime: runtime.parse(values.runtime) });
  }
  const { server, stop } = await startContainerdHost(nodes, agnhost);
  return { kubeconfig: server.kubeconfig, stop };
}

async function main(): Promise<boolean> {
  mkdirSync(values.cache, { recursive: true });
  const suite = buildSuite(resolve(values.cache));
  const server =
    values.kubeconfig === undefined ? await startHost(suite) : { kubeconfig: resolve(values.kubeconfig), stop: async () => {} };
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
