import http from "node:http";
import type { Plugin } from "esbuild";

/** What `node:http` has of Node's own fetch, which is made of all of undici. */
const ofFetch = new Set(["WebSocket", "CloseEvent", "MessageEvent"]);

/** What can be taken of `process` without making it: its streams are made when they are first looked at. */
const plain = Object.entries(Object.getOwnPropertyDescriptors(process)).flatMap(([name, { value }]) => (value === undefined ? [] : [name]));

const standIns: Readonly<Record<string, string>> = {
  http: `import { createRequire } from "node:module";
const http = createRequire(import.meta.url)("node:http");
export default http;
export const { ${Object.keys(http)
    .filter((name) => !ofFetch.has(name))
    .join(", ")} } = http;`,
  process: `const process = globalThis.process;
export default process;
export const { ${plain.join(", ")} } = process;`,
};

/**
 * `import` of a module of Node's looks at every export of it to make a namespace of it, and some are getters that load or make much: all of undici in `node:http`, a tenth
 * of a cold start, and in `node:process` its three streams. Asked for in another way they are left alone. The AWS SDK imports both.
 */
export const plainBuiltins: Plugin = {
  name: "plain-builtins",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: new RegExp(`^(node:)?(${Object.keys(standIns).join("|")})$`) }, ({ path, kind }) =>
      kind === "require-call" ? undefined : { path: path.replace(/^node:/, ""), namespace: "plain-builtins" },
    );
    onLoad({ filter: /./, namespace: "plain-builtins" }, ({ path }) => ({ contents: standIns[path] ?? "" }));
  },
};
