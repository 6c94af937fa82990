import { lstat, mkdtemp, readdir, readFile, readlink, rm, stat, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import type { PayloadInput } from "../../../../agent/volumes/payload.ts";
import { containerMounts, setUpVolumes, tearDownVolumes } from "../../../../agent/volumes/pod-volumes.ts";
import { noTmpfs } from "../../../../agent/volumes/tmpfs.ts";
import type { Volume, VolumeMount } from "../../../../shared/kubernetes/types.ts";
import { container, podOf } from "../pod/pod-fixture.ts";

const made: string[] = [];
afterEach(async () => {
  for (const directory of made.splice(0)) await rm(directory, { recursive: true, force: true });
});

async function bed(volumes: Volume[], data: Record<string, Record<string, string>> = {}) {
  const directory = await mkdtemp(join(tmpdir(), "volumes-"));
  made.push(directory);
  const pod = podOf({ volumes }, { labels: { app: "web" } });
  const meta = (name: string) => ({ apiVersion: "v1", metadata: { name } });
  const input: PayloadInput = {
    pod,
    place: { podIps: [], hostIps: [], allocatable: {} },
    configMap: (name) => (data[name] === undefined ? undefined : { ...meta(name), kind: "ConfigMap", data: data[name] }),
    secret: (name) =>
      data[name] === undefined
        ? undefined
        : {
            ...meta(name),
            kind: "Secret",
            data: Object.fromEntries(Object.entries(data[name]).map(([key, value]) => [key, Buffer.from(value).toString("base64")])),
          },
    token: async (audience) => `token for ${audience}`,
  };
  const options = { directory: join(directory, "pod"), tmpfs: noTmpfs, mayChown: false };
  const path = (...parts: string[]) => join(options.directory, "volumes", ...parts);
  return { pod, input, options, path, setUp: () => setUpVolumes(pod, input, options), data };
}

test("files of a configMap appear through a symlink that is swapped at once when they change", async () => {
  const { setUp, path, data } = await bed([{ name: "v", configMap: { name: "c" } }], { c: { a: "1", b: "2" } });
  await setUp();
  expect(await readFile(path("v", "a"), "utf8")).toBe("1");
  expect(await readlink(path("v", "a"))).toBe("..data/a");
  const before = await readlink(path("v", "..data"));
  await setUp();
  expect(await readlink(path("v", "..data"))).toBe(before);
  data.c = { a: "changed" };
  await setUp();
  expect(await readFile(path("v", "a"), "utf8")).toBe("changed");
  expect((await readdir(path("v"))).filter((name) => !name.startsWith(".."))).toEqual(["a"]);
  expect(await readdir(path("v"))).toHaveLength(3);
});

test("items choose keys, paths and modes", async () => {
  const items = [{ key: "a", path: "deep/er/file", mode: 0o400 }];
  const { setUp, path } = await bed([{ name: "v", secret: { secretName: "s", items, defaultMode: 0o440 } }], { s: { a: "1", b: "2" } });
  await setUp();
  expect((await readdir(path("v"))).filter((name) => !name.startsWith(".."))).toEqual(["deep"]);
  expect((await stat(path("v", "deep/er/file"))).mode & 0o777).toBe(0o400);
});

test.each<[Volume, string]>([
  [{ name: "v", configMap: { name: "no" } }, 'MountVolume.SetUp failed for volume "v" : configmap "no" not found'],
  [{ name: "v", secret: { secretName: "no" } }, 'MountVolume.SetUp failed for volume "v" : secret "no" not found'],
  [{ name: "v", configMap: { name: "c", items: [{ key: "x", path: "x" }] } }, "references non-existent config key: x"],
  [{ name: "v", configMap: { name: "c", items: [{ key: "a", path: "../out" }] } }, "invalid path"],
  [{ name: "v", hostPath: { path: "/no/such", type: "Directory" } }, "hostPath type check failed: /no/such is not a directory"],
  [{ name: "v", nfs: { server: "x", path: "/" } }, "volumes of type nfs are not supported by this node"],
])("what cannot be set up says why: %j", async (volume, message) => {
  const { setUp } = await bed([volume], { c: { a: "1" } });
  await expect(setUp()).rejects.toThrow(message);
});

test("what is optional may be missing", async () => {
  const { setUp, path } = await bed([{ name: "v", configMap: { name: "no", optional: true } }]);
  await setUp();
  expect((await stat(path("v"))).isDirectory()).toBe(true);
});

test("a projected volume joins its sources", async () => {
  const sources = [
    { serviceAccountToken: { path: "token", audience: "vault" } },
    { configMap: { name: "c", items: [{ key: "a", path: "ca.crt" }] } },
    { downwardAPI: { items: [{ path: "labels", fieldRef: { fieldPath: "metadata.labels" } }] } },
  ];
  const { setUp, path } = await bed([{ name: "v", projected: { sources } }], { c: { a: "pem" } });
  await setUp();
  expect(await readFile(path("v", "token"), "utf8")).toBe("token for vault");
  expect(await readFile(path("v", "ca.crt"), "utf8")).toBe("pem");
  expect(await readFile(path("v", "labels"), "utf8")).toBe('app="web"');
});

test("an emptyDir keeps its content while the pod lives, and goes with it", async () => {
  const { setUp, path, options } = await bed([{ name: "v", emptyDir: {} }]);
  await setUp();
  await symlink("/etc/hostname", path("v", "mine"));
  await setUp();
  expect((await lstat(path("v", "mine"))).isSymbolicLink()).toBe(true);
  await tearDownVolumes(options);
  await tearDownVolumes(options);
  await expect(stat(options.directory)).rejects.toThrow();
});

test("a subPath is made in its volume and may not lead out of it", async () => {
  const { setUp, pod, options, path } = await bed([{ name: "v", emptyDir: {} }]);
  await setUp();
  const mounts = (mount: Partial<VolumeMount>) =>
    containerMounts(
      pod,
      container("main", { volumeMounts: [{ name: "v", mountPath: "/m", ...mount }] }),
      new Map([["POD", "p-0"]]),
      options,
    );
  expect(await mounts({ subPathExpr: "logs/$(POD)" })).toMatchObject([
    { hostPath: path("v", "logs/p-0"), containerPath: "/m", readOnly: false },
  ]);
  await symlink("/etc", path("v", "out"));
  await expect(mounts({ subPath: "out" })).rejects.toThrow("not within volume path");
  await expect(mounts({ subPath: "../x" })).rejects.toThrow("invalid path");
  await expect(mounts({ name: "other" })).rejects.toThrow('cannot find volume "other" to mount into container "main"');
});
