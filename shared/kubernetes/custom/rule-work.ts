import { isJsonObject } from "../schema/schema-node.ts";

/**
 * How much of rules one definition may bring, in characters: compiling takes time in proportion, and nobody is to hold up a process that
 * serves others. The largest known definitions have a tenth. Told from the text alone, so that every machine answers the same.
 */
export const mostRuleWork = 256 * 1024;
/** What a rule costs before its first character. */
const perRule = 32;

/** The characters of all rules and message expressions in schemas, however deep. */
export function ruleWork(value: unknown): number {
  if (Array.isArray(value)) return value.reduce<number>((sum, one) => sum + ruleWork(one), 0);
  if (!isJsonObject(value)) return 0;
  let work = 0;
  for (const [field, inner] of Object.entries(value)) work += field === "x-kubernetes-validations" ? workOfRules(inner) : ruleWork(inner);
  return work;
}

function workOfRules(rules: unknown): number {
  if (!Array.isArray(rules)) return 0;
  const lengthOf = (text: unknown): number => (typeof text === "string" ? text.length : 0);
  return rules.reduce<number>((sum, one) => {
    const { rule, messageExpression } = isJsonObject(one) ? one : {};
    return sum + perRule + lengthOf(rule) + lengthOf(messageExpression);
  }, 0);
}
