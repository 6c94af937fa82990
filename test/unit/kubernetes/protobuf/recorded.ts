import { readFileSync } from "node:fs";
import { z } from "zod";

const object = z.looseObject({ kind: z.string(), apiVersion: z.string().exactOptional() });
const list = z.looseObject({
  kind: z.string(),
  apiVersion: z.string(),
  metadata: z.looseObject({ resourceVersion: z.string(), continue: z.string().optional(), remainingItemCount: z.number().optional() }),
  items: z.array(z.looseObject({ metadata: z.looseObject({ name: z.string(), namespace: z.string().optional() }) })),
});
const answer = <T extends z.ZodType>(json: T) => z.object({ path: z.string(), json, protobuf: z.string() });
const shape = z.object({
  objects: z.array(answer(object)),
  answers: z.array(answer(object)),
  watches: z.array(answer(z.array(z.object({ type: z.string(), object })))),
});

/** What kube-apiserver 1.33.13 answered to the same request once in JSON and once in protobuf: the richest object of each kind, lists, errors, discovery, watches. */
export function readRecorded(): z.infer<typeof shape> {
  return shape.parse(JSON.parse(readFileSync(new URL("./recorded.json", import.meta.url), "utf8")));
}

export const readList = (value: unknown): z.infer<typeof list> => list.parse(value);
