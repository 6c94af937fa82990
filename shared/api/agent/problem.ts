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
