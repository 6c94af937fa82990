import { connect } from "node:net";
import type { Container, ExecAction, HTTPGetAction, TCPSocketAction } from "../../shared/kubernetes/types.ts";
import { dialProblem, type HttpAnswer, httpGetOf, portNumber, sendHttpGet } from "./http-get.ts";

export type CheckResult = { readonly kind: "success" | "failure" | "error"; readonly output: string };

export interface CheckTarget {
  readonly container: Container;
  /** The pod's address; probes without a host of their own go there. Absent where nothing runs: what would be asked is taken for answered. */
  readonly podIp: string | undefined;
  readonly exec: (command: readonly string[], timeoutSeconds: number) => Promise<{ exitCode: number; output: string; timedOut: boolean }>;
}

export interface CheckAction {
  readonly exec?: ExecAction;
  readonly httpGet?: HTTPGetAction;
  readonly tcpSocket?: TCPSocketAction;
}

/** Runs one probe action. It never rejects: what could not be carried out is an `error`. */
export async function check(action: CheckAction, target: CheckTarget, timeoutSeconds: number): Promise<CheckResult> {
  try {
    if (action.exec !== undefined) return await checkExec(action.exec.command ?? [], target, timeoutSeconds);
    const { container, podIp } = target;
    if (podIp === undefined) return { kind: "success", output: "" };
    if (action.httpGet !== undefined) return await checkHttp(action.httpGet, { container, podIp }, timeoutSeconds);
    if (action.tcpSocket !== undefined) return await checkTcp(action.tcpSocket, { container, podIp }, timeoutSeconds);
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

/** Where something is asked over the network. */
interface Place {
  readonly container: Container;
  readonly podIp: string;
}

async function checkHttp(action: HTTPGetAction, { container, podIp }: Place, timeoutSeconds: number): Promise<CheckResult> {
  const request = httpGetOf(action, container, podIp, "probe");
  const signal = AbortSignal.timeout(timeoutSeconds * 1000);
  let answer: HttpAnswer;
  try {
    answer = await sendHttpGet(request, signal);
  } catch (error) {
    const reason = signal.aborted ? "context deadline exceeded (Client.Timeout exceeded while awaiting headers)" : dialProblem(error);
    return { kind: "failure", output: `Get "${request.url}": ${reason}` };
  }
  const { status, body } = answer;
  if (status >= 300 && status < 400) return { kind: "success", output: `Probe terminated redirects, Response body: ${body}` };
  if (status >= 200 && status < 300) return { kind: "success", output: body };
  return { kind: "failure", output: `HTTP probe failed with statuscode: ${status}` };
}

function checkTcp(action: TCPSocketAction, { container, podIp }: Place, timeoutSeconds: number): Promise<CheckResult> {
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
    socket.once("error", (error) => end({ kind: "failure", output: dialProblem(error) }));
  });
}
