import { type Clock, sleep } from "../../shared/clock.ts";
import type { ExecAction, HTTPGetAction, LifecycleHandler, Pod } from "../../shared/kubernetes/types.ts";
import type { CheckTarget } from "../probes/check.ts";
import { dialProblem, type HttpGet, httpGetOf, isPlainAnswer, sendHttpGet } from "../probes/http-get.ts";
import { podFullName } from "./decide.ts";

export interface HookRun {
  readonly pod: Pod;
  readonly target: CheckTarget;
  readonly timeoutSeconds: number;
  readonly clock: Clock;
  /** `host`, asked over HTTPS, answered in HTTP, and so was asked in that. */
  readonly onFallback: (host: string) => void;
}

/** `unfinished`: its time was over before it was. The message of a failure may hold what the container said: it is for the pod's status alone. */
export type HookOutcome = { readonly kind: "done" | "unfinished" } | { readonly kind: "failed"; readonly message: string };

/** Runs a postStart or preStop hook (`pkg/kubelet/lifecycle/handlers.go`). Never rejects. */
export async function runHook(handler: LifecycleHandler, run: HookRun): Promise<HookOutcome> {
  const failed = (what: string, error: string): HookOutcome => ({
    kind: "failed",
    message: `${what} for Container "${run.target.container.name}" in Pod "${podFullName(run.pod)}" failed - error: ${error}`,
  });
  const { exec, httpGet, sleep: pause } = handler;
  if (exec !== undefined) return runExec(exec, run, failed);
  if (httpGet !== undefined) return runHttp(httpGet, run, failed);
  if (pause === undefined) return { kind: "failed", message: `Cannot run handler: invalid handler: ${JSON.stringify(handler)}` };
  const seconds = Math.min(pause.seconds, run.timeoutSeconds);
  await sleep(run.clock, seconds * 1000);
  return { kind: seconds < pause.seconds ? "unfinished" : "done" };
}

type Failed = (what: string, error: string) => HookOutcome;

async function runExec({ command = [] }: ExecAction, { target, timeoutSeconds }: HookRun, failed: Failed): Promise<HookOutcome> {
  const what = `Exec lifecycle hook ([${command.join(" ")}])`;
  try {
    const { exitCode, output, timedOut } = await target.exec(command, timeoutSeconds);
    if (timedOut) return { kind: "unfinished" };
    if (exitCode === 0) return { kind: "done" };
    return failed(what, `command '${command.join(" ")}' exited with ${exitCode}: ${output}, message: ${JSON.stringify(output)}`);
  } catch (error) {
    return failed(what, `${error instanceof Error ? error.message : String(error)}, message: ""`);
  }
}

/** An answer is one, whatever its status. */
async function runHttp(action: HTTPGetAction, { target, timeoutSeconds, onFallback }: HookRun, failed: Failed): Promise<HookOutcome> {
  const { container, podIp } = target;
  if (podIp === undefined) return { kind: "done" };
  const signal = AbortSignal.timeout(timeoutSeconds * 1000);
  let request: HttpGet | undefined;
  try {
    request = httpGetOf(action, container, podIp, "lifecycle");
    await sendHttpGet(request, signal);
    return { kind: "done" };
  } catch (error) {
    if (request !== undefined && isPlainAnswer(error) && (await answersPlainly(request, signal))) {
      onFallback(request.url.host);
      return { kind: "done" };
    }
    if (signal.aborted) return { kind: "unfinished" };
    const asked = request === undefined ? "" : `Get "${request.url}": `;
    return failed(`HTTP lifecycle hook (${action.path ?? ""})`, `${asked}${dialProblem(error)}`);
  }
}

async function answersPlainly({ url, headers }: HttpGet, signal: AbortSignal): Promise<boolean> {
  const plain = new URL(url);
  plain.protocol = "http:";
  // The port of HTTPS goes without saying; that of HTTP is another.
  if (url.port === "") plain.port = "443";
  const { authorization: _, ...others } = headers;
  return sendHttpGet({ url: plain, headers: others }, signal).then(
    () => true,
    () => false,
  );
}
