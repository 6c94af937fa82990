import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parseCriLine } from "../../../../agent/logs/cri-line.ts";
import { commandLine, type Launch, mountVariable, quoted } from "../../../../agent/process/launch.ts";
import { createLogWriter } from "../../../../agent/process/log-writer.ts";
import { plainSecurity } from "../../../contract/runtime-specs.ts";

const launch = (change: Partial<Launch>): Launch => ({
  isolation: "overlay",
  directory: "/state/c",
  mounts: [],
  hostMounts: [],
  hostname: "pod",
  workingDirectory: "/",
  security: plainSecurity,
  oomScoreAdjust: 1000,
  command: ["prog", "it's"],
  ...change,
});

test("words with quotes stay one word", () => {
  expect(quoted("it's $HOME")).toBe(`'it'\\''s $HOME'`);
});

test("without privileges the command is run as it is, through nothing but a shell that changes directory", () => {
  const { file, args } = commandLine(launch({ isolation: "links", workingDirectory: "/work" }));
  expect([file, ...args].slice(0, 2)).toEqual(["/bin/sh", "-c"]);
  expect(args.slice(-3)).toEqual(["/work", "prog", "it's"]);
});

test("mounts are made from the outer to the inner, before the root is entered", () => {
  const mount = { isDirectory: true, readOnly: false };
  const mounts = [
    { ...mount, hostPath: "/h/inner", containerPath: "/a/b" },
    { ...mount, hostPath: "/h/outer", containerPath: "/a", readOnly: true },
  ];
  const script = commandLine(launch({ mounts })).args.at(-1) ?? "";
  const at = (text: string) => script.indexOf(text);
  expect(at("'/h/outer'")).toBeGreaterThan(0);
  expect(at("'/h/outer'")).toBeLessThan(at("'/h/inner'"));
  expect(at("remount,bind,ro '/state/c/root/a'")).toBeGreaterThan(at("'/h/outer'"));
  expect(at("exec 'chroot'")).toBeGreaterThan(at("'/h/inner'"));
});

test("a user is taken on last", () => {
  const security = { ...plainSecurity, runAsUser: 1000, supplementalGroups: [5], noNewPrivileges: true };
  expect(commandLine(launch({ isolation: "links", security }))).toMatchObject({
    file: "setpriv",
    args: expect.arrayContaining(["--reuid=1000", "--regid=0", "--groups=5", "--no-new-privs"]),
  });
});

test.each([
  ["/etc/config", "CORACLE_MOUNT_ETC_CONFIG"],
  ["/var/lib/my-app/", "CORACLE_MOUNT_VAR_LIB_MY_APP"],
])("the mount at %s is told by %s", (path, name) => {
  expect(mountVariable(path)).toBe(name);
});

test("output is written line by line, long lines in parts, and rotated", async () => {
  const directory = await mkdtemp(join(tmpdir(), "writer-"));
  const path = join(directory, "0.log");
  const writer = createLogWriter(path, () => 1_700_000_000_000);
  writer.write("stdout", Buffer.from("one\ntw"));
  writer.write("stderr", Buffer.from("oops\n"));
  writer.write("stdout", Buffer.from("o\nrest"));
  writer.write("stdout", Buffer.alloc(20_000, "x"));
  writer.end();
  const lines = (await readFile(path, "utf8")).split("\n").flatMap((line) => parseCriLine(Buffer.from(line)) ?? []);
  expect(lines.map(({ stream, partial, text }) => [stream, partial, text.length])).toEqual([
    ["stdout", false, 3],
    ["stderr", false, 4],
    ["stdout", false, 3],
    ["stdout", true, 16_384],
    ["stdout", false, 3620],
  ]);
  expect(new Set(lines.map(({ time }) => time)).size).toBe(5);
  for (let i = 0; i < 8; i++) writer.write("stdout", Buffer.alloc(10 * 1024 * 1024, "y"));
  expect(await readdir(directory)).toHaveLength(5);
  await rm(directory, { recursive: true });
});
