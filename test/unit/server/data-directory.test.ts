import { X509Certificate } from "node:crypto";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { openDataDirectory } from "../../../server/data-directory.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "coracle-data-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const now = Date.parse("2026-01-01T00:00:00Z");
const open = async (addresses: readonly string[], at = now) => {
  const data = await openDataDirectory(folder, at, addresses);
  data.release();
  return data;
};

it("makes its keys once, for its owner alone, and keeps them", async () => {
  const first = await open([]);
  const second = await open([]);
  expect(second.caPem).toBe(first.caPem);
  expect(second.serverCertificatePem).toBe(first.serverCertificatePem);
  expect(second.sealingKey.equals(first.sealingKey)).toBe(true);
  for (const name of ["ca.key", "token-signing.key", "sealing.key", "server.json"])
    expect(statSync(join(folder, name)).mode & 0o777).toBe(0o600);
});

it("makes a new certificate for an address that the kept one does not name, and before it expires", async () => {
  const first = await open([]);
  const second = await open(["192.0.2.7"]);
  expect(new X509Certificate(second.serverCertificatePem).checkIP("192.0.2.7")).toBe("192.0.2.7");
  expect(new X509Certificate(first.serverCertificatePem).checkIP("192.0.2.7")).toBeUndefined();
  const late = await open(["192.0.2.7"], now + 800 * 24 * 3600 * 1000);
  expect(late.serverCertificatePem).not.toBe(second.serverCertificatePem);
  expect(late.caPem).toBe(first.caPem);
});

it("can be worked on again once it was released", async () => {
  const data = await openDataDirectory(folder, now, []);
  data.release();
  await expect(openDataDirectory(folder, now, [])).resolves.toBeDefined();
});
