import http from "node:http";
import type { Plugin } from "esbuild";

/** What `node:http` has of Node's own fetch, which is made of all of undici. */
const ofFetch = new Set(["WebSocket", "CloseEvent", "MessageEvent"]);

/**
 * `import("node:http")`, as the AWS SDK has it, looks at every export of that module to make a namespace of it, and some are getters that load undici: a tenth of a
 * cold start. Asked for by `require` they are left alone.
 */
export const plainHttp: Plugin = {
  name: "plain-http",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^(node:)?http$/ }, ({ kind }) =>
      kind === "require-call" ? undefined : { path: "http", namespace: "plain-http" },
    );
    onLoad({ filter: /./, namespace: "plain-http" }, () => {
      const names = Object.keys(http).filter((name) => !ofFetch.has(name));
      const contents = `import { createRequire } from "node:module";
const http = createRequire(import.meta.url)("node:http");
export default http;
export const { ${names.join(", ")} } = http;`;
      return { contents };
    });
  },
};
