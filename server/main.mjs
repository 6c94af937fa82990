// Plain JavaScript, so that nothing has to be loaded to strip types: compiled modules, stripped once, are kept between starts.
import { enableCompileCache } from "node:module";

enableCompileCache();
const { run } = await import("./run.ts");
await run(process.env);
