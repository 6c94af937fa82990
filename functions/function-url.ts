import { isStream } from "../shared/api/response.ts";
import { answerTo, type FunctionUrlOptions } from "./answer.ts";
import { collect } from "./collected-body.ts";
import { type BufferedAnswer, type LambdaContext, lambdaStreaming } from "./lambda.ts";
import { pipe, send } from "./streamed-body.ts";

/** Kept to end an answer in good order. */
const marginMs = 3000;
/** Where nothing goes out before the end, a stream ends after this at the latest. Its client comes again and goes on from there. */
const longestMs = 10_000;

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

async function settled({ settle, ports }: FunctionUrlOptions): Promise<void> {
  try {
    await settle();
  } catch (error) {
    ports().log.error("something was left unfinished", error);
  }
}
