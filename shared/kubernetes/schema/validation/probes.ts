import { httpHeaderNameProblems } from "../../names.ts";
import type { StatusCause } from "../../status-error.ts";
import type { ExecAction, GRPCAction, HTTPGetAction, Lifecycle, Probe, SleepAction, TCPSocketAction } from "../../types.ts";
import { forbidden, invalid, required } from "../field-error.ts";
import { checkNonnegative, checkPortNumber, checkPortNumberOrName, checkSupported, invalidEach } from "./checks.ts";

interface Handler {
  readonly exec?: ExecAction;
  readonly httpGet?: HTTPGetAction;
  readonly tcpSocket?: TCPSocketAction;
  readonly grpc?: GRPCAction;
  readonly sleep?: SleepAction;
}

export function checkLivenessProbe(probe: Probe | undefined, path: string): StatusCause[] {
  if (probe === undefined) return [];
  const causes = checkProbe(probe, path);
  if (probe.successThreshold !== 1) causes.push(invalid(`${path}.successThreshold`, probe.successThreshold ?? 0, "must be 1"));
  return causes;
}

export function checkReadinessProbe(probe: Probe | undefined, path: string): StatusCause[] {
  if (probe === undefined) return [];
  const causes = checkProbe(probe, path);
  const grace = probe.terminationGracePeriodSeconds;
  if (grace !== undefined) causes.push(invalid(`${path}.terminationGracePeriodSeconds`, grace, "must not be set for readinessProbes"));
  return causes;
}

function checkProbe(probe: Probe, path: string): StatusCause[] {
  const causes = checkHandler(probe, undefined, path);
  for (const field of ["initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"] as const) {
    causes.push(...checkNonnegative(probe[field], `${path}.${field}`));
  }
  const grace = probe.terminationGracePeriodSeconds;
  if (grace !== undefined && grace <= 0) causes.push(invalid(`${path}.terminationGracePeriodSeconds`, grace, "must be greater than 0"));
  return causes;
}

export function checkLifecycle(lifecycle: Lifecycle, gracePeriod: number | undefined, path: string): StatusCause[] {
  const causes: StatusCause[] = [];
  if (lifecycle.postStart !== undefined) causes.push(...checkHandler(lifecycle.postStart, gracePeriod, `${path}.postStart`));
  if (lifecycle.preStop !== undefined) causes.push(...checkHandler(lifecycle.preStop, gracePeriod, `${path}.preStop`));
  return causes;
}

/** Exactly one handler; further ones are named and not looked into. */
function checkHandler(handler: Handler, gracePeriod: number | undefined, path: string): StatusCause[] {
  const { exec, httpGet, tcpSocket, grpc, sleep } = handler;
  const checks: readonly [string, (() => StatusCause[]) | undefined][] = [
    ["exec", exec && (() => ((exec.command?.length ?? 0) === 0 ? [required(`${path}.exec.command`)] : []))],
    ["httpGet", httpGet && (() => checkHttpGet(httpGet, `${path}.httpGet`))],
    ["tcpSocket", tcpSocket && (() => checkPortNumberOrName(tcpSocket.port, `${path}.tcpSocket.port`))],
    ["grpc", grpc && (() => checkPortNumber(grpc.port, `${path}.grpc.port`))],
    ["sleep", sleep && (() => checkSleep(sleep, gracePeriod, `${path}.sleep`))],
  ];
  const given = checks.flatMap(([name, check]) => (check === undefined ? [] : [{ name, check }]));
  if (given.length === 0) return [required(path, "must specify a handler type")];
  return given.flatMap(({ name, check }, index) =>
    index === 0 ? check() : [forbidden(`${path}.${name}`, "may not specify more than 1 handler type")],
  );
}

function checkHttpGet(action: HTTPGetAction, path: string): StatusCause[] {
  return [
    ...((action.path ?? "") === "" ? [required(`${path}.path`)] : []),
    ...checkPortNumberOrName(action.port, `${path}.port`),
    ...checkSupported(action.scheme ?? "", ["HTTP", "HTTPS"], `${path}.scheme`),
    ...(action.httpHeaders ?? []).flatMap(({ name }) => invalidEach(`${path}.httpHeaders`, name, httpHeaderNameProblems(name))),
  ];
}

function checkSleep({ seconds }: SleepAction, gracePeriod: number | undefined, path: string): StatusCause[] {
  if (gracePeriod === undefined || (seconds >= 0 && seconds <= gracePeriod)) return [];
  return [invalid(path, seconds, `must be non-negative and less than terminationGracePeriodSeconds (${gracePeriod})`)];
}
