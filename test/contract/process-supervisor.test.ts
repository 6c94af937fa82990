import { cp, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { createProcessRuntime } from "../../agent/process/process-runtime.ts";
import { shimSocket } from "../../agent/process/shim-protocol.ts";
import type { ContainerRuntime } from "../../agent/runtime.ts";
import { systemClock } from "../../shared/clock.ts";
import { silentLog } from "../../shared/telemetry/log.ts";
import { containerSpecOf, sandboxSpecOf } from "./runtime-specs.ts";

let directory: string;
let runtime: ContainerRuntime;
const open = () => createProcessRuntime({ directory, hostAddresses: ["127.0.0.1"], clock: systemClock, log: silentLog });
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "process-"));
  runtime = await open();
});
afterEach(async () => {
  for (const { sandbox } of await runtime.list()) await runtime.removeSandbox(sandbox.id);
  await runtime.close();
  await rm(directory, { recursive: true, force: true });
});

const sleeping = containerSpecOf("none", ["sleep", "100"], { logPath: "0.log" });
const containersOf = async () => (await runtime.list()).flatMap(({ containers }) => containers);

/** What an agent that was killed had asked for. */
async function ask(request: object): Promise<{ ok: boolean }> {
  const socket = connect(join(directory, shimSocket));
  socket.write(`${JSON.stringify({ id: 1, ...request })}\n`);
  for await (const chunk of socket.setEncoding("utf8")) {
    socket.destroy();
    return JSON.parse(String(chunk).split("\n")[0] ?? "");
  }
  throw new Error("no answer");
}

it("has no container that its agent made and was killed before it began, and begins it no more", async () => {
  const { id: sandboxId } = await runtime.runSandbox(sandboxSpecOf(directory));
  const folder = join(directory, "sandboxes", sandboxId, "containers", "unbegun");
  const running = await runtime.startContainer(sandboxId, sleeping);
  await runtime.close();
  await cp(join(directory, "sandboxes", sandboxId, "containers", running), folder, {
    recursive: true,
    filter: (path) => !/started\.json|stdout|stderr/.test(path),
  });
  const record = JSON.parse(await readFile(join(folder, "container.json"), "utf8"));
  await writeFile(join(folder, "container.json"), JSON.stringify({ ...record, id: "unbegun", name: "other" }));
  runtime = await open();
  expect((await containersOf()).map(({ id, state }) => [id, state.kind])).toEqual([[running, "running"]]);
  expect(await readdir(join(directory, "sandboxes", sandboxId, "containers"))).toEqual([running]);
  const late = {
    kind: "start",
    containerId: "unbegun",
    directory: folder,
    file: "true",
    args: [],
    environment: {},
    workingDirectory: "/",
    logPath: "/dev/null",
  };
  expect(await ask(late)).toMatchObject({ ok: false });
});

it("says of a process that ended without its supervisor what containerd says where a shim is gone", async () => {
  const { id: sandboxId } = await runtime.runSandbox(sandboxSpecOf(directory));
  const id = await runtime.startContainer(sandboxId, sleeping);
  const { pid } = JSON.parse(await readFile(join(directory, "sandboxes", sandboxId, "containers", id, "started.json"), "utf8"));
  await runtime.close();
  const supervisor = Number(await readFile(join(directory, "shim.pid"), "utf8"));
  process.kill(supervisor, "SIGSTOP");
  process.kill(pid, "SIGKILL");
  process.kill(supervisor, "SIGKILL");
  runtime = await open();
  await expect.poll(containersOf, { timeout: 10_000 }).toMatchObject([{ id, state: { kind: "exited", exitCode: 255, reason: "Unknown" } }]);
});
