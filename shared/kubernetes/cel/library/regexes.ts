import { RE2JS } from "re2js";
import { type Overload, overload } from "../overload.ts";
import { ArrayList, type CelValue, Failure } from "../value.ts";

/**
 * Patterns are RE2's, as Go's are: their time is linear in the text. JavaScript's own engine is never given one. A module's compiled patterns
 * are kept, few and bounded, because a rule asks for the same pattern at every element of a list.
 */
const kept = new Map<string, RE2JS>();
const keptPatterns = 256;

export function compilePattern(pattern: string): RE2JS | Failure {
  const known = kept.get(pattern);
  if (known !== undefined) return known;
  try {
    const compiled = RE2JS.compile(pattern);
    if (kept.size >= keptPatterns) kept.clear();
    kept.set(pattern, compiled);
    return compiled;
  } catch (error) {
    return new Failure(
      `error parsing regexp: ${error instanceof Error ? error.message.replace(/^error parsing regexp: /, "") : "invalid"}`,
    );
  }
}

function findAll(text: string, pattern: string, limit: number): CelValue {
  const compiled = compilePattern(pattern);
  if (compiled instanceof Failure) return new Failure(`Illegal regex: ${compiled.message}`);
  const matcher = compiled.matcher(text);
  const found: CelValue[] = [];
  while ((limit < 0 || found.length < limit) && matcher.find()) found.push(matcher.group() ?? "");
  return new ArrayList(found);
}

/** `matches`, and Kubernetes' `find` and `findAll` (apiserver `cel/library/regex.go`). */
export const regexLibrary: readonly Overload[] = [
  ...(["(string).matches(string): bool", "matches(string, string): bool"] as const).map((signature) =>
    overload("matches_string", signature, ([text, pattern]) => {
      const compiled = compilePattern(pattern as string);
      return compiled instanceof Failure ? compiled : compiled.matcher(text as string).find();
    }),
  ),
  overload("string_find_string", "(string).find(string): string", ([text, pattern]) => {
    const compiled = compilePattern(pattern as string);
    if (compiled instanceof Failure) return new Failure(`Illegal regex: ${compiled.message}`);
    const matcher = compiled.matcher(text as string);
    return matcher.find() ? (matcher.group() ?? "") : "";
  }),
  overload("string_find_all_string", "(string).findAll(string): list(string)", ([text, pattern]) =>
    findAll(text as string, pattern as string, -1),
  ),
  overload("string_find_all_string_int", "(string).findAll(string, int): list(string)", ([text, pattern, limit]) =>
    findAll(text as string, pattern as string, Number(limit)),
  ),
];
