import { createHash } from "node:crypto";
import { expect, it } from "vitest";
import { openApiIndex, openApiV2, openApiV3 } from "../../../shared/kubernetes/openapi.ts";
import recorded from "../../parity/recordings/openapi-1.33.json" with { type: "json" };

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** Without prose, and in an order of its own; shared parameters in their places. */
function bare(value: Json, shared: { [name: string]: Json } = {}, key = ""): Json {
  if (Array.isArray(value)) {
    const all = value.map((each) => bare(each, shared));
    return key === "parameters" ? all.toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1)) : all;
  }
  if (value === null || typeof value !== "object") return value;
  const reference = typeof value.$ref === "string" && /^#\/parameters\/(.*)/.exec(value.$ref)?.[1];
  if (reference) return bare(shared[reference] ?? null, shared);
  const kept = Object.entries(value).filter(([name, part]) => name !== "description" || typeof part !== "string");
  return Object.fromEntries(kept.sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, part]) => [name, bare(part, shared, name)]));
}

const nameOf = (value: Json): string => (value !== null && typeof value === "object" && !Array.isArray(value) ? String(value.name) : "");

const digest = (value: Json): string => createHash("sha256").update(JSON.stringify(value)).digest("hex").slice(0, 16);
/** By kube-apiserver 1.33.13, the digests of its documents without their prose. */
const known: { readonly v3: Record<string, string>; readonly paths: Record<string, string>; readonly definitions: Record<string, string> } =
  recorded;

const digests = (parts: Json | undefined): Record<string, string> =>
  Object.fromEntries(Object.entries(parts as { [name: string]: Json }).map(([name, part]) => [name, digest(part)]));

it("publishes the OpenAPI v3 documents that kube-apiserver does, each the same but for its prose", () => {
  const { paths } = JSON.parse(openApiIndex()) as { paths: Record<string, object> };
  const ours = Object.keys(paths).map((path) => [path, digest(bare(JSON.parse(openApiV3(path) ?? "null") as Json))]);
  expect(Object.fromEntries(ours)).toEqual(known.v3);
});

it("publishes the paths and definitions of OpenAPI v2 that kube-apiserver does", () => {
  const document = bare(JSON.parse(openApiV2()) as Json) as { [part: string]: Json };
  expect(digests(document.paths)).toEqual(known.paths);
  expect(digests(document.definitions)).toEqual(known.definitions);
});
