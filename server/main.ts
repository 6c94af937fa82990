import { enableCompileCache } from "node:module";

// Before anything else is loaded: compiled modules are kept between starts.
enableCompileCache();
const { run } = await import("./run.ts");
await run(process.env);
