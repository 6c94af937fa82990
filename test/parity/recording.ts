import { readFileSync } from "node:fs";
import { z } from "zod";

/** One request of a scenario, and what a kube-apiserver 1.33 answered, masked. */
const exchange = z.object({
  m: z.string(),
  p: z.string(),
  h: z.record(z.string(), z.string()).optional(),
  b: z.unknown().optional(),
  /** Wait before it. */
  waitMs: z.number().optional(),
  /** Read a stream for so long, then hang up. */
  streamMs: z.number().optional(),
  /** Variables that later requests use, by the path of their value in the answer. */
  save: z.record(z.string(), z.string()).optional(),
  ignoreBody: z.boolean().optional(),
  expect: z.object({ status: z.number(), type: z.string(), warning: z.string().optional(), body: z.unknown().optional() }),
});

/** Requests that follow on each other, in a namespace of their own unless it says otherwise. */
const scenario = z.object({ name: z.string(), noNamespace: z.boolean().optional(), steps: z.array(exchange) });

export type Exchange = z.infer<typeof exchange>;
export type Scenario = z.infer<typeof scenario>;

/**
 * `recorded` is what requests of all sorts were answered, `validation` what objects of every kind were, good and bad, and patches of them,
 * `requests` what sequences of requests were, and the ways in which they can be wrong, `statuses` what statuses good and bad of every kind
 * were, as objects, tables and metadata, and the documents that are no objects, by every method and in every form.
 */
export function readRecording(file: "recorded" | "validation" | "requests" | "statuses" = "recorded"): readonly Scenario[] {
  const text = readFileSync(new URL(`./recordings/${file}-1.33.json`, import.meta.url), "utf8");
  return z.array(scenario).parse(JSON.parse(text));
}
