import { setTimeout as delay } from "node:timers/promises";
import { isRecord, mask } from "./mask.ts";
import type { Exchange, Scenario } from "./recording.ts";

interface SentRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
  /** Hang up after so long. */
  readonly streamMs: number | undefined;
}

export interface ReceivedAnswer {
  readonly status: number;
  /** Without parameters. */
  readonly type: string;
  readonly warning: string | undefined;
  readonly text: string;
}

/** Sends with the credentials of a cluster's administrator, unless the request brings its own (`authorization: none` for none at all). */
export type Send = (request: SentRequest) => Promise<ReceivedAnswer>;

export interface Outcome {
  readonly request: string;
  /** Where the masked answer differs from the recorded one; nothing when they are the same. */
  readonly differences: readonly string[];
}

/** Replays a scenario in a fresh namespace and compares every answer with the recorded one. */
export async function replay(scenario: Scenario, send: Send, namespace: string): Promise<readonly Outcome[]> {
  const ask = (method: string, path: string, body?: object) =>
    send({ method, path, headers: jsonHeaders, body: body && JSON.stringify(body), streamMs: undefined });
  if (!scenario.noNamespace) {
    await ask("POST", "/api/v1/namespaces", { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } });
    await ask("POST", `/api/v1/namespaces/${namespace}/serviceaccounts`, {
      ...{ apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "default" } },
    });
  }
  if (scenario.name === withoutItsController) await refuseRevisions(ask, namespace);
  const variables: Record<string, string> = { ns: namespace };
  const outcomes: Outcome[] = [];
  for (const step of scenario.steps) outcomes.push(await exchange(step, send, variables));
  if (!scenario.noNamespace) await ask("DELETE", `/api/v1/namespaces/${namespace}`);
  return outcomes;
}

/** The recorded kube-apiserver had no controllers beside it, of which this kind's writes into the status that the next one is compared with. */
const withoutItsController = "statuses and tables: StatefulSet";

/** The controller begins with a ControllerRevision, and comes no further where the namespace has no room for one. */
async function refuseRevisions(
  ask: (method: string, path: string, body: object) => Promise<ReceivedAnswer>,
  namespace: string,
): Promise<void> {
  const quotas = `/api/v1/namespaces/${namespace}/resourcequotas`;
  const hard = { "count/controllerrevisions.apps": "0" };
  const quota = { apiVersion: "v1", kind: "ResourceQuota", metadata: { name: "no-revisions" }, spec: { hard } };
  await ask("POST", quotas, quota);
  const { status, text } = await ask("PUT", `${quotas}/no-revisions/status`, { ...quota, status: { hard, used: hard } });
  if (status !== 200) throw new Error(`the quota has no status: ${status} ${text}`);
}

const jsonHeaders = { accept: "application/json", "content-type": "application/json", "user-agent": "parity/1" };

async function exchange(step: Exchange, send: Send, variables: Record<string, string>): Promise<Outcome> {
  const { m: method, p, h, b, waitMs, streamMs, save, ignoreBody, expect } = step;
  if (waitMs !== undefined) await delay(waitMs);
  const fill = (text: string) => text.replace(/\{(\w+)\}/g, (all, name: string) => variables[name] ?? all);
  const body = b === undefined ? undefined : typeof b === "string" ? fill(b) : fill(JSON.stringify(b));
  const headers = {
    accept: "application/json",
    "user-agent": "parity/1",
    ...(body !== undefined && { "content-type": "application/json" }),
    ...h,
  };
  const filled = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, fill(value)]));
  const answer = await send({ method, path: fill(p), headers: filled, body, streamMs });
  for (const [name, path] of Object.entries(save ?? {})) variables[name] = textAt(answer.text, path);
  const got = {
    status: answer.status,
    type: answer.type,
    ...(answer.warning !== undefined && { warning: answer.warning }),
    ...(!ignoreBody && { body: parse(answer, variables.ns ?? "") }),
  };
  return { request: `${method} ${p}`, differences: differences(inOneSecond(expect), inOneSecond(got), "") };
}

/**
 * Managers of fields come in the order of the seconds in which they wrote, and by name within a second. Which writes share one, the speed
 * of the machine says: here all of them do.
 */
function inOneSecond(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inOneSecond);
  if (!isRecord(value)) return value;
  const entries = Object.entries(value).map(([name, part]): [string, unknown] => [
    name,
    name === "managedFields" && Array.isArray(part) ? part.toSorted((a, b) => (orderOf(a) < orderOf(b) ? -1 : 1)) : inOneSecond(part),
  ]);
  return Object.fromEntries(entries);
}

function orderOf(entry: unknown): string {
  const { operation, manager, apiVersion, subresource } = isRecord(entry) ? entry : {};
  return JSON.stringify([operation, manager, apiVersion, subresource]);
}

function textAt(text: string, path: string): string {
  try {
    let value: unknown = JSON.parse(text);
    for (const step of path.split(".")) value = isRecord(value) || Array.isArray(value) ? Reflect.get(value, step) : undefined;
    return value === undefined || value === null ? "" : String(value);
  } catch {
    return "";
  }
}

/** A watch is a JSON value a line. */
function parse({ text, type }: ReceivedAnswer, namespace: string): unknown {
  if (type !== "application/json") return mask(text, namespace);
  try {
    return mask(JSON.parse(text), namespace);
  } catch {
    try {
      return text
        .trim()
        .split("\n")
        .map((line) => mask(JSON.parse(line), namespace));
    } catch {
      return mask(text, namespace);
    }
  }
}

function differences(expected: unknown, got: unknown, path: string): string[] {
  if (JSON.stringify(expected) === JSON.stringify(got)) return [];
  const nested = (Array.isArray(expected) && Array.isArray(got)) || (isRecord(expected) && isRecord(got));
  if (!nested) return [`${path || "answer"}: expected ${short(expected)}, got ${short(got)}`];
  const keys = new Set([...Object.keys(expected), ...Object.keys(got)]);
  return [...keys].flatMap((key) => differences(Reflect.get(expected, key), Reflect.get(got, key), `${path}.${key}`));
}

function short(value: unknown): string {
  return value === undefined ? "nothing" : JSON.stringify(value).slice(0, 220);
}
