import { cloneJson } from "../../../../shared/kubernetes/clone.ts";
import { applyMergePatch } from "../../../../shared/kubernetes/merge-patch.ts";
import { isJsonObject, type JsonObject } from "../../../../shared/kubernetes/schema/schema-node.ts";
import type { StatusCause } from "../../../../shared/kubernetes/status-error.ts";
import { readRecording } from "../../../parity/recording.ts";

/** A write of a built-in kind from the recording: what was sent, and what a kube-apiserver 1.33 made of it. */
export interface RecordedWrite {
  readonly name: string;
  readonly object: JsonObject;
  /** What was there before; undefined for a create. */
  readonly live: JsonObject | undefined;
  readonly status: number;
  readonly answer: JsonObject;
  readonly causes: readonly StatusCause[];
}

const namespace = "parity";

/** Creates, puts and merge patches of built-in kinds, in the order of the recording. */
export function recordedWrites(): RecordedWrite[] {
  const writes: RecordedWrite[] = [];
  for (const scenario of readRecording()) {
    const stored = new Map<string, JsonObject>();
    for (const step of scenario.steps) {
      const path = step.p.split("?")[0] ?? "";
      const answer = inNamespace(step.expect.body);
      const body = inNamespace(step.b);
      if (!isJsonObject(answer) || step.p.includes("fieldValidation=Nope") || step.p.includes("dryRun=Some")) continue;
      const live = stored.get(path);
      const object = objectOf(step.m, step.h?.["content-type"], body, live);
      const { status } = step.expect;
      if (object !== undefined && typeof object.apiVersion === "string" && !object.apiVersion.includes("example.com")) {
        const name = `${scenario.name}: ${step.m} ${path.split("/").at(-1)} #${writes.length}`;
        writes.push({ name, object, live: step.m === "POST" ? undefined : live, status, answer, causes: causesOf(answer) });
      }
      const key = step.m === "POST" ? `${path}/${nameOf(answer)}` : path;
      if (status < 300 && isJsonObject(answer.metadata) && answer.kind !== "Status") stored.set(key, answer);
    }
  }
  return writes;
}

function objectOf(method: string, type: string | undefined, body: unknown, live: JsonObject | undefined): JsonObject | undefined {
  if (method === "POST" && type === undefined) return isJsonObject(body) ? body : undefined;
  if (live === undefined) return undefined;
  if (method === "PUT" && isJsonObject(body)) return body;
  if (method !== "PATCH" || type !== "application/merge-patch+json") return undefined;
  const patched = applyMergePatch(cloneJson(live), body);
  return isJsonObject(patched) ? patched : undefined;
}

function nameOf(answer: JsonObject): string {
  return isJsonObject(answer.metadata) ? String(answer.metadata.name) : "";
}

function causesOf(answer: JsonObject): StatusCause[] {
  const { details } = answer;
  return isJsonObject(details) && Array.isArray(details.causes) ? (details.causes as StatusCause[]) : [];
}

function inNamespace(value: unknown): unknown {
  return value === undefined
    ? undefined
    : JSON.parse(JSON.stringify(value).replaceAll("{ns}", namespace).replaceAll("<ip>", "10.0.99.99").replaceAll("<suffix>", "abcde"));
}
