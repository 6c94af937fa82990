// Plain JavaScript, so that nothing has to be loaded to strip types.
import { importProgram, keepCompiled } from "../shared/compiled.mjs";

keepCompiled();
// Over the table of an installation where one is named, else over a store of its own.
const { run } = await importProgram(process.env.CORACLE_TABLE ? "server/container/run.ts" : "server/run.ts");
await run(process.env);
