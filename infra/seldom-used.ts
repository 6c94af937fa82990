import { join } from "node:path";
import { build, type Plugin } from "esbuild";

const root = join(import.meta.dirname, "..");

/** Packages of which most cold starts call nothing. */
const seldom = ["re2js", "yaml", "protobufjs/minimal.js"] as const;
const fileOf = (name: string): string => `${name.replace(/[^a-z0-9]/g, "-")}.cjs`;

/** Stands for an export of a package that is read from its own file when it is first used, be it called, constructed or looked into. */
const standIn = (file: string) => `import { createRequire } from "node:module";
let loaded;
const load = () => (loaded ??= createRequire(import.meta.url)("./${file}"));
const standIn = (pick) => new Proxy(function () {}, {
  get: (_, key) => Reflect.get(pick(load()), key),
  apply: (_, self, args) => Reflect.apply(pick(load()), self, args),
  construct: (_, args) => Reflect.construct(pick(load()), args),
});`;

/** Puts these packages into files beside the bundle. The code that uses them does not know. */
export const seldomUsed: Plugin = {
  name: "seldom-used",
  setup({ onResolve, onLoad, onEnd, initialOptions: { outdir = "" } }) {
    const used = new Set<string>();
    const filter = new RegExp(`^(${seldom.join("|")})$`);
    onResolve({ filter }, ({ path }) => ({ path, namespace: "seldom-used", sideEffects: false }));
    onLoad({ filter: /./, namespace: "seldom-used" }, async ({ path }) => {
      used.add(path);
      const names = Object.keys(await import(path)).filter((name) => name !== "module.exports");
      const exported = names.map((name) =>
        name === "default"
          ? "export default /* @__PURE__ */ standIn((all) => all.default ?? all);"
          : `export const ${name} = /* @__PURE__ */ standIn((all) => all.${name});`,
      );
      return { contents: [standIn(fileOf(path)), ...exported].join("\n") };
    });
    onEnd(async () => {
      for (const path of used)
        await build({
          entryPoints: [path],
          absWorkingDir: root,
          outfile: join(outdir, fileOf(path)),
          ...{ bundle: true, minify: true, platform: "node", target: "node24", format: "cjs", logLevel: "error" },
        });
    });
  },
};
