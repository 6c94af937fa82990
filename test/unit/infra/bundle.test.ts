import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Metafile } from "esbuild";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { entryPoints } from "../../../functions/names/entry-points.ts";
import { bundleFunctions, type FunctionName, readAtOnce } from "../../../infra/bundle.ts";

const folder = mkdtempSync(join(tmpdir(), "coracle-bundles-"));
let made: Map<FunctionName, Metafile>;

beforeAll(async () => {
  made = await bundleFunctions(folder);
}, 300_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.each(Object.values(entryPoints))("the bundle of %s", (name) => {
  const bytes = (): number => {
    const metafile = made.get(name);
    return metafile ? readAtOnce(name, metafile) : Number.NaN;
  };

  it("is a megabyte at the most of what a cold start reads", () => {
    expect(bytes()).toBeGreaterThan(100_000);
    expect(bytes()).toBeLessThan(2 ** 20);
  });

  it("has each file that it reads later", () => {
    const outputs = Object.keys(made.get(name)?.outputs ?? {});
    expect(outputs.length).toBeGreaterThan(1);
    expect(outputs.filter((path) => !existsSync(path))).toEqual([]);
  });
});

it("bundles of what turns clusters leave CEL, OpenAPI and the rules of other kinds for later", () => {
  const files = made.get("on-change")?.outputs ?? {};
  const late = Object.values(files).flatMap(({ entryPoint }) => entryPoint?.match(/^late-place:(.*)$/)?.[1] ?? []);
  expect(late.sort()).toEqual(["documents", "expressions", "rules", "seldom"]);
});
