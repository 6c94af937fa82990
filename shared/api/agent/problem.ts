import { StatusError, type StatusReason, statusCodes } from "../../kubernetes/status-error.ts";
import type { Log } from "../../telemetry/log.ts";
import type { Problem } from "./protocol.ts";

/** A failure of the agent API. Thrown anywhere behind it; its edge answers with an RFC 9457 document. */
export class AgentProblem extends Error {
  readonly problem: Problem;
  constructor(status: number, title: string, detail?: string) {
    super(detail ?? title);
    this.name = "AgentProblem";
    this.problem = { type: "about:blank", title, status, ...(detail === undefined ? {} : { detail }) };
  }
}

export function problemResponse(problem: Problem): Response {
  return new Response(JSON.stringify(problem), { status: problem.status, headers: { "content-type": "application/problem+json" } });
}

/** What an error is to an agent: an unknown one has an id, under which the log says more. */
export function problemOf(error: unknown, log: Log, newId: () => string): Problem {
  if (error instanceof AgentProblem) return error.problem;
  if (error instanceof StatusError) return { type: "about:blank", title: error.reason, status: error.code, detail: error.message };
  const id = newId();
  log.error("agent call failed", error, { id });
  return { type: "about:blank", title: "Internal error", status: 500, detail: `see the server's log, id ${id}` };
}

/** The `Status` that a node's refusal becomes for the caller of the cluster API. */
export function statusOf({ status, title, detail }: Problem): StatusError {
  const reasons: StatusReason[] = ["BadRequest", "NotFound", "Forbidden", "Timeout", "ServiceUnavailable"];
  const reason = reasons.find((candidate) => statusCodes[candidate] === status) ?? "InternalError";
  return new StatusError(reason, detail ?? title);
}
