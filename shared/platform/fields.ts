import { z } from "zod";
import { PlatformError } from "./problem.ts";

/** Shapes that several resources and records share. Each describes itself in the OpenAPI document. */
export const identifier = z.string().regex(/^[a-z0-9][-a-z0-9]{0,62}$/, "an identifier");

/** RFC 1123 label. */
export const dnsLabel = z
  .string()
  .max(63)
  .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/, "a lower-case DNS label: letters, digits and '-', beginning and ending with a letter or digit");

const labelKeyPattern = /^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?\/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const labelValuePattern = /^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/;
const labelKey = z.string().max(317).regex(labelKeyPattern, "a label key as Kubernetes spells it");
const labelValue = z.string().max(63).regex(labelValuePattern, "a label value as Kubernetes spells it");
const maxLabels = 64;
const tooMany = `at most ${maxLabels} labels`;
const few = (labels: Readonly<Record<string, unknown>>) => Object.keys(labels).length <= maxLabels;

export const labelMap = z.record(labelKey, labelValue).refine(few, tooMany);

/** RFC 7396: a label of null is taken away, others are set, those not named stay. */
export const labelPatch = z.record(labelKey, labelValue.nullable()).refine(few, tooMany);

/** @throws PlatformError `invalid` where that makes too many */
export function patchLabels(
  labels: Readonly<Record<string, string>>,
  patch: Readonly<Record<string, string | null>> | undefined,
): Record<string, string> {
  const next: Record<string, string> = { ...labels };
  for (const [key, value] of Object.entries(patch ?? {})) {
    if (value === null) delete next[key];
    else next[key] = value;
  }
  if (!few(next)) throw new PlatformError("invalid", `#/labels: ${tooMany}`, { errors: [{ pointer: "#/labels", detail: tooMany }] });
  return next;
}

export const taint = z.strictObject({
  key: labelKey,
  value: labelValue.exactOptional(),
  effect: z.enum(["NoSchedule", "PreferNoSchedule", "NoExecute"]),
});
export type PoolTaint = z.infer<typeof taint>;

/** `auto`: what each machine has. */
export const poolRuntime = z.enum(["auto", "containerd", "process", "hollow"]);

export const nodeCount = z.int().min(0).max(10_000);

/** RFC 3339 in UTC. */
export const timestamp = z.iso.datetime();
export const toTimestamp = (ms: number): string => new Date(ms).toISOString();
