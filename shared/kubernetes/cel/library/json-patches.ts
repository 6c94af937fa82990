import { noOverload } from "../access.ts";
import { type Overload, overload } from "../overload.ts";

/** `jsonpatch.escapeKey` (apiserver `cel/library/jsonpatch.go`). */
export const jsonPatchLibrary: readonly Overload[] = [
  overload("string_jsonpatch_escapeKey_string", "jsonpatch.escapeKey(string): string", ([key]) =>
    typeof key === "string" ? key.replaceAll("~", "~0").replaceAll("/", "~1") : noOverload,
  ),
];
