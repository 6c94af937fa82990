import type { Checked } from "./check.ts";
import { isFailure } from "./compare.ts";
import { formatClauses } from "./library/format-text.ts";
import { compilePattern } from "./library/regexes.ts";
import { parseDurationText, parseTimestampText } from "./library/time-text.ts";
import type { Call, Expression, Problem } from "./syntax.ts";
import { type CelType, formatType, isDynType, isOptionalType, sameType } from "./type.ts";

/** What is wrong with what is written out: patterns, times, formats, lists of mixed types (cel-go `cel/validator.go`). */
export function literalProblems(checked: Checked): Problem[] {
  const problems: Problem[] = [];
  const visit = (part: Expression, mixed: boolean): void => {
    switch (part.kind) {
      case "call":
        checkCall(part, problems);
        if (part.target) visit(part.target, mixed);
        for (const arg of part.args) visit(arg, mixed || part.name === "format");
        return;
      case "select":
        visit(part.operand, mixed);
        return;
      case "list":
        if (!mixed) problems.push(...mixedTypes(checked, part.elements));
        for (const { value } of part.elements) visit(value, mixed);
        return;
      case "map":
        if (!mixed) {
          problems.push(
            ...mixedTypes(
              checked,
              part.entries.map(({ key }) => ({ value: key, optional: false })),
            ),
          );
          problems.push(...mixedTypes(checked, part.entries));
        }
        for (const { key, value } of part.entries) {
          visit(key, mixed);
          visit(value, mixed);
        }
        return;
      case "struct":
        for (const { value } of part.fields) visit(value, mixed);
        return;
      case "fold":
        for (const inner of [part.range, part.init, part.condition, part.step, part.result]) visit(inner, mixed);
        return;
      default:
        return;
    }
  };
  visit(checked.expression, false);
  return problems;
}

function checkCall({ name, target, args }: Call, problems: Problem[]): void {
  const [first] = args;
  const given = name === "matches" && target === undefined ? args[1] : first;
  const text = given?.kind === "literal" && typeof given.value === "string" ? given.value : undefined;
  const bad = (): void => {
    if (given) problems.push({ at: given.at, message: `invalid ${name} argument` });
  };
  if (name === "matches" && text !== undefined && isFailureOf(text)) bad();
  if (name === "timestamp" && text !== undefined && parseTimestampText(text) === undefined) bad();
  if (name === "duration" && text !== undefined && parseDurationText(text) === undefined) bad();
  if (name === "format" && target?.kind === "literal" && typeof target.value === "string" && first?.kind === "list") {
    const clauses = formatClauses(target.value);
    first.elements.forEach(({ value }, index) => {
      const made = value.kind === "literal" ? clauses[index]?.(value.value) : undefined;
      if (made !== undefined && typeof made !== "string") problems.push({ at: value.at, message: made.message });
    });
  }
}

function isFailureOf(pattern: string): boolean {
  const compiled = compilePattern(pattern);
  return "message" in compiled && isFailure(compiled);
}

function mixedTypes(checked: Checked, elements: readonly { readonly value: Expression; readonly optional: boolean }[]): Problem[] {
  let expected: CelType | undefined;
  const problems: Problem[] = [];
  for (const { value, optional } of elements) {
    const whole = checked.typeOf(value);
    const type = optional && isOptionalType(whole) ? (whole.parameters[0] ?? whole) : whole;
    if (expected === undefined) expected = type;
    else if (!isDynType(expected) && !isDynType(type) && !sameType(expected, type)) {
      problems.push({ at: value.at, message: `expected type '${formatType(expected)}' but found '${formatType(type)}'` });
    }
  }
  return problems;
}
