// Plain JavaScript, so that nothing has to be loaded to strip types.
import { keepCompiled } from "../shared/compile-cache.mjs";

keepCompiled();
const { run } = await import("./run.ts");
await run(process.env);
