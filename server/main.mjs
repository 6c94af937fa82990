// Plain JavaScript, so that nothing has to be loaded to strip types.
import { keepCompiled } from "../shared/compile-cache.mjs";

keepCompiled();
// Over the table of an installation where one is named, else over a store of its own.
const { run } = await (process.env.CORACLE_TABLE ? import("./container/run.ts") : import("./run.ts"));
await run(process.env);
