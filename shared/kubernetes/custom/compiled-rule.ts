import { compileExpression, type Program } from "../cel/compile.ts";
import { boolType, type CelType, optionalOf, sameType, stringType } from "../cel/type.ts";
import type { ValidationRule } from "../types.ts";

/** A rule of `x-kubernetes-validations`, compiled against the type of what it stands on. */
export interface CompiledRule {
  readonly rule: ValidationRule;
  /** Undefined for an empty rule, and where `problem` says why. */
  readonly program: Program | undefined;
  readonly problem: string | undefined;
  readonly message: Program | undefined;
  readonly messageProblem: string | undefined;
  /** It is about a change: without an old value it is not asked, unless the rule says so (`optionalOldSelf`). */
  readonly usesOldSelf: boolean;
}

const nothing = { program: undefined, problem: undefined, message: undefined, messageProblem: undefined, usesOldSelf: false };

/** apiextensions `schema/cel/compilation.go`. */
export function compileRule(rule: ValidationRule, self: CelType): CompiledRule {
  if (rule.rule.trim() === "") return { ...nothing, rule };
  const variables = new Map([
    ["self", self],
    ["oldSelf", rule.optionalOldSelf === true ? optionalOf(self) : self],
  ]);
  const compiled = compileExpression(rule.rule, variables);
  if (compiled.kind === "invalid") return { ...nothing, rule, problem: `compilation failed: ${compiled.problem}` };
  const { program } = compiled;
  if (!sameType(program.type, boolType)) return { ...nothing, rule, problem: "cel expression must evaluate to a bool" };
  const whole = { ...nothing, rule, program, usesOldSelf: program.variables.has("oldSelf") };
  const { messageExpression = "" } = rule;
  if (messageExpression === "") return whole;
  const message = compileExpression(messageExpression, variables);
  if (message.kind === "invalid") return { ...whole, messageProblem: `messageExpression compilation failed: ${message.problem}` };
  if (!sameType(message.program.type, stringType)) return { ...whole, messageProblem: "messageExpression must evaluate to a string" };
  return { ...whole, message: message.program };
}
