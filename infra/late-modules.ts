import { basename, join, relative } from "node:path";
import type { Plugin } from "esbuild";

const root = join(import.meta.dirname, "..");

/**
 * Modules that most cold starts call nothing of, by the file that they lie in together: who needs one of them soon needs the others, and each file more costs
 * every start some time. What of them others use are functions, the border at which they are read.
 */
const late: Readonly<Record<string, readonly string[]>> = {
  /** CEL, and what is said in it: kinds that custom resources define, admission policies. */
  expressions: [
    "shared/kubernetes/cel/compile.ts",
    "shared/kubernetes/custom/custom-kind.ts",
    "shared/kubernetes/policies/type-check.ts",
    "shared/api/admission/policies/mutate.ts",
    "shared/api/admission/policies/validate.ts",
  ],
  /** What is looked at in writes of kinds that run nothing, and what clients alone are told of. */
  rules: [
    "shared/kubernetes/schema/validation/batch-entries.ts",
    "shared/kubernetes/schema/validation/service.ts",
    "shared/kubernetes/schema/validation/reviews.ts",
    "shared/kubernetes/schema/validation/pod-resize.ts",
    "shared/kubernetes/schema/validation/pod-ephemeral.ts",
    "shared/kubernetes/schema/validation/object-entries.ts",
    "shared/kubernetes/schema/warnings/kind-warnings.ts",
  ],
  /** Discovery and OpenAPI. */
  documents: [
    "shared/api/openapi-documents.ts",
    "shared/kubernetes/discovery.ts",
    "shared/kubernetes/openapi.ts",
    "shared/platform/api/openapi.ts",
    "node_modules/zod/v4/core/json-schema-processors.js",
    "node_modules/zod/v4/core/to-json-schema.js",
  ],
  /** What few clusters or callers ask for. */
  seldom: [
    "shared/kubernetes/json-patch.ts",
    "shared/kubernetes/strategic-merge-patch.ts",
    "shared/kubernetes/protobuf/encode.ts",
    "shared/kubernetes/autoscaler-conversion.ts",
    "shared/kubernetes/managed-fields/apply.ts",
    "shared/kubernetes/pod-security/evaluate.ts",
    "shared/api/admission/plugins/node-restriction.ts",
    "shared/api/admission/webhooks/dispatch.ts",
    "shared/api/conversion/convert-objects.ts",
  ],
};
const placeOf = new Map(Object.entries(late).flatMap(([place, files]) => files.map((file) => [join(root, file), place] as const)));

export interface EntryPoint {
  readonly in: string;
  readonly out: string;
}

/**
 * A bundle that reads these modules when one of their functions is called for the first time, at once: Node 24 requires ES modules. The code that uses them does not
 * know. `build` makes it with further entry points, `late`: what they share with it lies in files that both read, so that classes and what is remembered are the
 * same. It is built again until each module that is read late, and what those read late, has its place.
 */
export async function withLateModules<T>(build: (late: readonly EntryPoint[], plugin: Plugin) => Promise<T>): Promise<T> {
  /** Modules that are used, by their place. */
  const used = new Map<string, Set<string>>();
  const countOf = (): number => [...used.values()].reduce((sum, files) => sum + files.size, 0);
  for (;;) {
    const before = countOf();
    const built = await build(
      [...used.keys()].map((place) => ({ in: `late:${place}`, out: place })),
      lateModules(used),
    );
    if (countOf() === before) return built;
  }
}

const lateModules = (used: Map<string, Set<string>>): Plugin => ({
  name: "late-modules",
  setup({ onResolve, onLoad }) {
    const names = [...placeOf.keys()].map((file) => basename(file).replaceAll(".", "\\."));
    onResolve({ filter: /^late:/ }, ({ path }) => ({ path: path.slice("late:".length), namespace: "late-place" }));
    onLoad({ filter: /./, namespace: "late-place" }, ({ path: place }) => {
      const contents = [...(used.get(place) ?? [])].map((file) => `export * as ${nameOf(file)} from ${JSON.stringify(file)};`).join("\n");
      return { contents, resolveDir: root };
    });
    onResolve({ filter: new RegExp(`/(${names.join("|")})$`) }, ({ path, resolveDir, namespace }) => {
      const file = join(resolveDir, path);
      return namespace !== "late-place" && placeOf.has(file) ? { path: file, namespace: "late-module", sideEffects: false } : undefined;
    });
    onLoad({ filter: /./, namespace: "late-module" }, async ({ path: file }) => {
      const place = placeOf.get(file) ?? "";
      used.set(place, (used.get(place) ?? new Set()).add(file));
      return { contents: await standIn(file, place) };
    });
  },
});

const nameOf = (file: string): string => relative(root, file).replace(/\W/g, "_");

/** What stands for a module's functions, for objects that are looked into, and texts as they are. What else it exports a bundle misses when it is built. */
async function standIn(file: string, place: string): Promise<string> {
  const exported = Object.entries(await import(file)).flatMap(([name, value]) => {
    if (typeof value === "string") return [`export const ${name} = ${JSON.stringify(value)};`];
    if (typeof value === "object")
      return [`export const ${name} = /* @__PURE__ */ new Proxy({}, { get: (_, key) => load().${name}[key] });`];
    if (typeof value !== "function") return [];
    if (/^class\b/.test(String(value))) throw new Error(`${file} exports the class ${name}, which cannot be read late`);
    return [`export const ${name} = (...given) => load().${name}(...given);`];
  });
  return `import { createRequire } from "node:module";
let loaded;
const load = () => (loaded ??= createRequire(import.meta.url)("./${place}.mjs").${nameOf(file)});
${exported.join("\n")}`;
}
