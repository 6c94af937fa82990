import { compileExpression, type Language, type Program } from "../cel/compile.ts";
import { type CelType, sameType, typeText } from "../cel/type.ts";

/** `problem` is Kubernetes' detail of the error. */
export type AdmissionExpression =
  | { readonly kind: "compiled"; readonly text: string; readonly program: Program }
  | { readonly kind: "invalid"; readonly text: string; readonly problem: string };

/** Compiles an expression that has to have one of the types; none given: any (apiserver `CompileCELExpression`). */
export function compileAdmissionExpression(
  text: string,
  variables: ReadonlyMap<string, CelType>,
  ...types: readonly CelType[]
): AdmissionExpression {
  return compileIn(undefined, text, variables, types);
}

/** In a language that knows more than the standard one. */
export function compileIn(
  language: Language | undefined,
  text: string,
  variables: ReadonlyMap<string, CelType>,
  types: readonly CelType[],
): AdmissionExpression {
  const compiled = compileExpression(text, variables, language);
  if (compiled.kind === "invalid") return { kind: "invalid", text, problem: `compilation failed: ${compiled.problem}` };
  const { program } = compiled;
  if (types.length === 0 || types.some((type) => sameType(type, program.type))) return { kind: "compiled", text, program };
  const wanted = types.map(typeText);
  const expected = wanted.length === 1 ? wanted[0] : `one of [${wanted.join(" ")}]`;
  return { kind: "invalid", text, problem: `must evaluate to ${expected} but got ${typeText(program.type)}` };
}
