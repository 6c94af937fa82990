import type { IncomingMessage } from "node:http";
import { createHandler as createAgentApi } from "../../functions/agent-api.ts";
import { createHandler as createClusterApi } from "../../functions/cluster-api.ts";
import type { BufferedAnswer, LambdaContext } from "../../functions/lambda.ts";
import { createHandler as createPlatformApi } from "../../functions/platform-api.ts";
import type { FunctionPorts } from "../../functions/ports.ts";
import { listenWithTls, type TlsListener } from "./tls-listener.ts";

type UrlHandler = (event: unknown, context: LambdaContext) => Promise<BufferedAnswer>;
const invocationMs = 30_000;

/** The three surfaces' handlers behind one HTTPS address, called as function URLs call them: whole requests, whole answers, no upgrade. */
export async function startFunctionHost(ports: FunctionPorts): Promise<TlsListener> {
  const [cluster, platform, agent] = [createClusterApi, createPlatformApi, createAgentApi].map(
    (create) => create(() => ports) as UrlHandler,
  );
  const handlerOf = (path: string) => (path.startsWith("/v1/") ? platform : path.startsWith("/agent/") ? agent : cluster);
  return listenWithTls(async (request, response) => {
    try {
      const endMs = Date.now() + invocationMs;
      const event = await urlEventOf(request);
      const answer = await handlerOf(event.rawPath)?.(event, { getRemainingTimeInMillis: () => endMs - Date.now() });
      if (answer === undefined) throw new Error("no function has this path");
      const body = Buffer.from(answer.body, answer.isBase64Encoded ? "base64" : "utf8");
      response.writeHead(answer.statusCode, { ...answer.headers, "content-length": body.length }).end(body);
    } catch (error) {
      response.writeHead(502).end(String(error));
    }
  });
}

async function urlEventOf(request: IncomingMessage) {
  const [rawPath = "", rawQueryString = ""] = (request.url ?? "/").split("?");
  const headers = Object.fromEntries(Object.entries(request.headersDistinct).map(([name, values = []]) => [name, values.join(",")]));
  const body = Buffer.concat(await request.toArray());
  return {
    ...{ version: "2.0", rawPath, rawQueryString, headers },
    requestContext: { domainName: headers.host ?? "", http: { method: request.method ?? "GET", path: rawPath } },
    ...(body.length > 0 && { body: body.toString("base64"), isBase64Encoded: true }),
  };
}
