import { z } from "zod";

/**
 * Environment variables as a schema reads them, whose keys are those of `names`, by which the variables are called. Empty ones count as absent. The message of
 * the error names the variable. @throws Error
 */
export function readVariables<Shape extends z.ZodType>(
  shape: Shape,
  names: Readonly<Record<keyof z.input<Shape>, string>>,
  environment: Readonly<Record<string, string | undefined>>,
): z.output<Shape> {
  const nameOf = new Map<PropertyKey, string>(Object.entries(names));
  const given = [...nameOf]
    .map(([key, name]) => [key, environment[name]] as const)
    .filter(([, value]) => value !== undefined && value !== "");
  const parsed = shape.safeParse(Object.fromEntries(given));
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(
    ({ path: [key = "", ...below], message }) => `${[nameOf.get(key), ...below].join(".")}: ${message}`,
  );
  throw new Error(problems.join("; "));
}

/** Words with commas or spaces between them. */
export const words = z.string().transform((text) => text.split(/[\s,]+/).filter((part) => part !== ""));

/** Networks in CIDR notation; none by default. */
export const networks = words.pipe(z.array(z.union([z.cidrv4(), z.cidrv6()]))).default([]);
