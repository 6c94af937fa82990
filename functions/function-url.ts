import { gzipSync } from "node:zlib";
import { type ApiResponse, isStream, isUpgrade, type StreamBody, text, type UpgradeBody } from "../shared/api/response.ts";
import type { Clock } from "../shared/clock.ts";
import type { Log } from "../shared/telemetry/log.ts";
import { type BufferedAnswer, type LambdaContext, lambdaStreaming, type ResponseStream, type UrlEvent, urlEvent } from "./lambda.ts";

export interface FunctionUrlOptions {
  /** Answers one request. `untilMs`: when the answer has to be complete. */
  readonly serve: (event: UrlEvent, limits: { readonly untilMs: number }) => Promise<ApiResponse>;
  /** What has to be finished before the process may be frozen. Also after a failure. */
  readonly settle: () => Promise<void>;
  readonly ports: () => { readonly clock: Clock; readonly log: Log };
}

/** kube-apiserver compresses answers from this size on; what a function sends is paid by the byte, too. */
const compressFromBytes = 128 * 1024;
/** Kept to end an answer in good order. */
const marginMs = 3000;

/** The handler of a function URL: with response streaming where the runtime has it, else with the whole answer at the end. */
export function createUrlHandler(options: FunctionUrlOptions) {
  const awslambda = lambdaStreaming();
  if (!awslambda) return (event: unknown, context: LambdaContext): Promise<BufferedAnswer> => buffered(options, event, context);
  return awslambda.streamifyResponse(async (event, stream, context) => {
    const untilMs = options.ports().clock.now() + context.getRemainingTimeInMillis() - marginMs;
    try {
      const { status, headers, body } = await answerTo(options, event, { untilMs });
      const out = awslambda.HttpResponseStream.from(stream, { statusCode: status, headers: { ...headers } });
      if (isStream(body)) await pipe(body, out, options.ports().clock, untilMs);
      else await send(Buffer.isBuffer(body) ? [body] : body, out);
    } finally {
      await settled(options);
    }
  });
}

async function answerTo(
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

async function settled({ settle, ports }: FunctionUrlOptions): Promise<void> {
  try {
    await settle();
  } catch (error) {
    ports().log.error("something was left unfinished", error);
  }
}

type FunctionAnswer = Pick<ApiResponse, "status" | "headers"> & { readonly body: Exclude<ApiResponse["body"], UpgradeBody> };

function compressed(answer: FunctionAnswer, accepted: string | undefined): FunctionAnswer {
  const { body } = answer;
  if (isStream(body) || !/\bgzip\b/.test(accepted ?? "") || answer.headers["content-encoding"] !== undefined) return answer;
  const whole = Buffer.isBuffer(body) ? body : Buffer.concat(body);
  if (whole.length < compressFromBytes) return { ...answer, body: whole };
  const headers = { ...answer.headers, "content-encoding": "gzip", vary: "Accept-Encoding" };
  return { ...answer, headers, body: gzipSync(whole, { level: 1 }) };
}

function drained(stream: ResponseStream): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      stream.off("drain", done);
      stream.off("close", done);
      resolve();
    };
    stream.once("drain", done);
    stream.once("close", done);
  });
}

const finished = (stream: ResponseStream): Promise<void> =>
  new Promise((resolve) => {
    for (const event of ["finish", "close", "error"] as const) stream.once(event, () => resolve());
  });

async function send(chunks: readonly Buffer[], stream: ResponseStream): Promise<void> {
  const end = finished(stream);
  for (const chunk of chunks) if (chunk.length > 0 && !stream.write(chunk)) await drained(stream);
  stream.end();
  await end;
}

/** Until the body ends, its receiver goes, or time is up. */
async function pipe(body: StreamBody, stream: ResponseStream, clock: Clock, untilMs: number): Promise<void> {
  const end = finished(stream);
  const stop = body.start({ write: (chunk) => stream.write(chunk), drained: () => drained(stream), end: () => stream.end() });
  const cancel = clock.after(Math.max(0, untilMs - clock.now()), () => stream.end());
  await end;
  cancel();
  stop();
}

/** Where nothing goes out before the end, a stream ends when it has said something and fallen silent for so long … */
const silenceMs = 300;
/** … or at the latest after this. Its client comes again and goes on from there. */
const longestMs = 10_000;

async function buffered(options: FunctionUrlOptions, event: unknown, context: LambdaContext): Promise<BufferedAnswer> {
  const clock = options.ports().clock;
  const untilMs = Math.min(clock.now() + longestMs, clock.now() + context.getRemainingTimeInMillis() - marginMs);
  try {
    const { status, headers, body } = await answerTo(options, event, { untilMs });
    const bytes = isStream(body) ? await collect(body, clock, untilMs) : Buffer.isBuffer(body) ? body : Buffer.concat(body);
    return { statusCode: status, headers, body: bytes.toString("base64"), isBase64Encoded: true };
  } finally {
    await settled(options);
  }
}

function collect(body: StreamBody, clock: Clock, untilMs: number): Promise<Buffer> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let stop = (): void => {};
    let cancelSilence = (): void => {};
    const end = (): void => {
      cancelSilence();
      cancelEnd();
      stop();
      resolve(Buffer.concat(chunks));
    };
    const cancelEnd = clock.after(Math.max(0, untilMs - clock.now()), end);
    const write = (chunk: Buffer): true => {
      chunks.push(chunk);
      cancelSilence();
      cancelSilence = clock.after(silenceMs, end);
      return true;
    };
    stop = body.start({ write, drained: () => Promise.resolve(), end });
  });
}
