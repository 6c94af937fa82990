import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { plantedBugs } from "../simulation/planted/bugs.ts";
import { patched } from "../simulation/planted/patches.ts";

const textOf = (file: string): string => readFileSync(fileURLToPath(new URL(`../../${file}`, import.meta.url)), "utf8");

it.each(plantedBugs)("fits the product's text: $name", ({ patches }) => {
  const texts = new Map<string, string>();
  for (const patch of patches) texts.set(patch.file, patched(texts.get(patch.file) ?? textOf(patch.file), patch));
  expect(texts.size).toBeGreaterThan(0);
});
