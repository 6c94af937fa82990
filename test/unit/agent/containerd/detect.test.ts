import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { detectContainerd } from "../../../../agent/containerd/detect.ts";

let directory = "";
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "detect-"));
});
afterEach(() => rm(directory, { recursive: true }));

describe("detectContainerd", () => {
  it("finds nothing where no socket is", async () => {
    expect(await detectContainerd(`unix://${directory}/none.sock`)).toMatchObject({ kind: "absent" });
  });

  it("finds nothing in a plain file", async () => {
    await writeFile(join(directory, "file"), "");
    expect(await detectContainerd(join(directory, "file"))).toMatchObject({ kind: "absent" });
  });

  it("gives up on a socket that never answers", async () => {
    const path = join(directory, "mute.sock");
    const server = createServer(() => {});
    await new Promise<void>((resolve) => server.listen(path, resolve));
    expect(await detectContainerd(`unix://${path}`)).toMatchObject({ kind: "absent" });
    server.close();
  });
});
