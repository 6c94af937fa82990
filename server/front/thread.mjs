// Plain JavaScript, so that nothing has to be loaded to strip types.
import { keepCompiled } from "../../shared/compile-cache.mjs";

keepCompiled();
const { runFront } = await import("./run-front.ts");
runFront();
