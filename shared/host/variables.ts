import { z } from "zod";

/** Environment variables as a schema reads them; empty ones count as absent. The message of the error names the variable. @throws Error */
export function readVariables<Shape extends z.ZodType>(
  shape: Shape,
  environment: Readonly<Record<string, string | undefined>>,
): z.output<Shape> {
  const given = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== undefined && value !== ""));
  const parsed = shape.safeParse(given);
  if (!parsed.success) throw new Error(parsed.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`).join("; "));
  return parsed.data;
}

/** Words with commas or spaces between them. */
export const words = z.string().transform((text) => text.split(/[\s,]+/).filter((part) => part !== ""));

/** Networks in CIDR notation; none by default. */
export const networks = words.pipe(z.array(z.union([z.cidrv4(), z.cidrv6()]))).default([]);
