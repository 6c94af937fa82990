import { gzipSync } from "node:zlib";
import { type ApiResponse, isStream, isUpgrade, text, type UpgradeBody } from "../shared/api/response.ts";
import type { Clock } from "../shared/clock.ts";
import type { Log } from "../shared/telemetry/log.ts";
import { type UrlEvent, urlEvent } from "./lambda.ts";

export interface FunctionUrlOptions {
  /** Answers one request. `untilMs`: when the answer has to be complete. */
  readonly serve: (event: UrlEvent, limits: { readonly untilMs: number }) => Promise<ApiResponse>;
  /** What has to be finished before the process may be frozen. Also after a failure. */
  readonly settle: () => Promise<void>;
  readonly ports: () => { readonly clock: Clock; readonly log: Log };
}

/** What a function can send: no connection of its can become something else. */
type FunctionAnswer = Pick<ApiResponse, "status" | "headers"> & { readonly body: Exclude<ApiResponse["body"], UpgradeBody> };

/** kube-apiserver compresses answers from this size on; what a function sends is paid by the byte, too. */
const compressFromBytes = 128 * 1024;

/** Never rejects: what fails is a 500. */
export async function answerTo(
  options: FunctionUrlOptions,
  event: unknown,
  limits: Parameters<FunctionUrlOptions["serve"]>[1],
): Promise<FunctionAnswer> {
  try {
    const request = urlEvent.parse(event);
    const { status, headers, body } = await options.serve(request, limits);
    if (isUpgrade(body)) throw new Error("a function's connection cannot be upgraded");
    return compressed({ status, headers, body }, request.headers["accept-encoding"]);
  } catch (error) {
    options.ports().log.error("request failed", error);
    return { ...text(500, ""), body: Buffer.from("500 Internal Server Error\n") };
  }
}

function compressed(answer: FunctionAnswer, accepted: string | undefined): FunctionAnswer {
  const { body } = answer;
  if (isStream(body) || !/\bgzip\b/.test(accepted ?? "") || answer.headers["content-encoding"] !== undefined) return answer;
  const whole = Buffer.isBuffer(body) ? body : Buffer.concat(body);
  if (whole.length < compressFromBytes) return { ...answer, body: whole };
  const headers = { ...answer.headers, "content-encoding": "gzip", vary: "Accept-Encoding" };
  return { ...answer, headers, body: gzipSync(whole, { level: 1 }) };
}
