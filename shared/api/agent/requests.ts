import type { z } from "zod";
import { AgentProblem } from "./problem.ts";
import { agentLimits } from "./protocol.ts";

/** What is left unread would hold up the next request of the connection. Streams, which have no end in sight, are cut off instead. */
export function discardBody({ body, bodyUsed, headers }: Request): void {
  const bytes = Number(headers.get("content-length") ?? Number.POSITIVE_INFINITY);
  if (body === null || bodyUsed || body.locked || bytes > agentLimits.bodyBytes) return;
  body.pipeTo(new WritableStream()).catch(() => {});
}

export const bearerOf = ({ headers }: Request): string => bearer(headers.get("authorization") ?? "");

/** The credential of an Authorization header. @throws AgentProblem 401 */
export function bearer(authorization: string): string {
  const match = /^Bearer (\S+)$/i.exec(authorization);
  if (match?.[1] === undefined) throw new AgentProblem(401, "A node credential is needed");
  return match[1];
}

/** The body as its schema says. @throws AgentProblem 400 */
export async function parse<T extends z.ZodType>(request: Request, schema: T): Promise<z.output<T>> {
  let body: unknown;
  try {
    body = await request.json();
  } catch {
    throw new AgentProblem(400, "The body is not JSON");
  }
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  const detail = result.error.issues.slice(0, 5).map(({ path, message }) => `/${path.join("/")}: ${message}`);
  throw new AgentProblem(400, "The body is not as the protocol says", detail.join("; "));
}
