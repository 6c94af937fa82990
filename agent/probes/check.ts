import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { connect } from "node:net";
import type { Container, ExecAction, HTTPGetAction, TCPSocketAction } from "../../shared/kubernetes/types.ts";

export type CheckResult = { readonly kind: "success" | "failure" | "error"; readonly output: string };

export interface CheckTarget {
  readonly container: Container;
  /** The pod's address; probes without a host of their own go there. */
  readonly podIp: string;
  readonly exec: (command: readonly string[], timeoutSeconds: number) => Promise<{ exitCode: number; output: string; timedOut: boolean }>;
}

export interface CheckAction {
  readonly exec?: ExecAction;
  readonly httpGet?: HTTPGetAction;
  readonly tcpSocket?: TCPSocketAction;
}

const maximumBody = 10 * 1024;
const maximumRedirects = 10;

/** Runs one probe (or hook) action. It never rejects: what could not be carried out is an `error`. */
export async function check(action: CheckAction, target: CheckTarget, timeoutSeconds: number): Promise<CheckResult> {
  try {
    if (action.exec !== undefined) return await checkExec(action.exec.command ?? [], target, timeoutSeconds);
    if (action.httpGet !== undefined) return await checkHttp(action.httpGet, target, timeoutSeconds);
    if (action.tcpSocket !== undefined) return await checkTcp(action.tcpSocket, target, timeoutSeconds);
    return { kind: "error", output: "missing probe handler" };
  } catch (error) {
    return { kind: "error", output: error instanceof Error ? error.message : String(error) };
  }
}

async function checkExec(command: readonly string[], target: CheckTarget, timeoutSeconds: number): Promise<CheckResult> {
  const { exitCode, output, timedOut } = await target.exec(command, timeoutSeconds);
  if (timedOut)
    return { kind: "failure", output: `command timed out: ${JSON.stringify(command.join(" "))} timed out after ${timeoutSeconds}s` };
  return { kind: exitCode === 0 ? "success" : "failure", output };
}

/** A port given by number or by the name of one of the container's ports. */
export function portNumber(port: number | string, container: Container): number {
  const number = typeof port === "number" ? port : (container.ports?.find(({ name }) => name === port)?.containerPort ?? Number(port));
  if (!Number.isInteger(number) || number < 1 || number > 65535) throw new RangeError(`invalid port number: ${port}`);
  return number;
}

async function checkHttp(action: HTTPGetAction, { container, podIp }: CheckTarget, timeoutSeconds: number): Promise<CheckResult> {
  const scheme = (action.scheme ?? "HTTP").toLowerCase();
  const host = action.host === undefined || action.host === "" ? podIp : action.host;
  const path = action.path?.startsWith("/") ? action.path : `/${action.path ?? ""}`;
  const authority = host.includes(":") ? `[${host}]` : host;
  let url = new URL(path, `${scheme}://${authority}:${portNumber(action.port, container)}`);
  const headers: Record<string, string> = { "user-agent": "kube-probe/1.33", accept: "*/*", connection: "close" };
  for (const { name, value } of action.httpHeaders ?? []) headers[name.toLowerCase()] = value;
  const signal = AbortSignal.timeout(timeoutSeconds * 1000);
  for (let redirects = 0; ; redirects++) {
    let response: HttpAnswer;
    try {
      response = await get(url, headers, signal);
    } catch (error) {
      const reason = signal.aborted ? "context deadline exceeded (Client.Timeout exceeded while awaiting headers)" : messageOf(error);
      return { kind: "failure", output: `Get "${url}": ${reason}` };
    }
    const { status, location, body } = response;
    if (status >= 300 && status < 400 && location !== undefined && redirects < maximumRedirects) {
      const next = new URL(location, url);
      if (next.hostname !== url.hostname) return { kind: "success", output: `Probe terminated redirects, Response body: ${body}` };
      url = next;
      continue;
    }
    if (status >= 200 && status < 400) return { kind: "success", output: body };
    return { kind: "failure", output: `HTTP probe failed with statuscode: ${status}` };
  }
}

interface HttpAnswer {
  readonly status: number;
  readonly location: string | undefined;
  readonly body: string;
}

function get(url: URL, headers: Record<string, string>, signal: AbortSignal): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const send = url.protocol === "https:" ? httpsRequest : httpRequest;
    // A probe asks whether something answers, not who: kubelet skips certificate checks too.
    const request = send(url, { headers, signal, agent: false, rejectUnauthorized: false }, (response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      const finish = (): void =>
        resolve({
          status: response.statusCode ?? 0,
          location: response.headers.location,
          body: Buffer.concat(chunks).toString("utf8", 0, maximumBody),
        });
      response.on("data", (chunk: Buffer) => {
        chunks.push(chunk);
        size += chunk.length;
        if (size >= maximumBody) {
          finish();
          response.destroy();
        }
      });
      response.on("end", finish);
      response.on("error", reject);
    });
    request.on("error", reject);
    request.end();
  });
}

function checkTcp(action: TCPSocketAction, { container, podIp }: CheckTarget, timeoutSeconds: number): Promise<CheckResult> {
  const host = action.host === undefined || action.host === "" ? podIp : action.host;
  const port = portNumber(action.port, container);
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const end = (result: CheckResult): void => {
      socket.destroy();
      resolve(result);
    };
    socket.setTimeout(timeoutSeconds * 1000, () => end({ kind: "failure", output: `dial tcp ${host}:${port}: i/o timeout` }));
    socket.once("connect", () => end({ kind: "success", output: "" }));
    socket.once("error", (error) => end({ kind: "failure", output: `dial tcp ${host}:${port}: connect: ${messageOf(error)}` }));
  });
}

function messageOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(messageOf).join("; ");
  if (error instanceof Error && "code" in error && error.code === "ECONNREFUSED") return "connection refused";
  return error instanceof Error ? error.message : String(error);
}
