import { z } from "zod";

/** What the functions use of Lambda's context. */
export interface LambdaContext {
  getRemainingTimeInMillis(): number;
}

/** A stream that Lambda sends on as it is written to. */
export interface ResponseStream {
  write(chunk: Buffer): boolean;
  end(): void;
  once(event: "drain" | "close" | "finish" | "error", listener: () => void): void;
  off(event: "drain" | "close", listener: () => void): void;
}

export type StreamingHandler = (event: unknown, stream: ResponseStream, context: LambdaContext) => Promise<void>;

/** What Lambda's own Node runtime offers to functions that stream; emulators may not. */
export interface AwsLambda {
  streamifyResponse(handler: StreamingHandler): (event: unknown, ...rest: never[]) => Promise<unknown>;
  readonly HttpResponseStream: {
    from(stream: ResponseStream, metadata: { statusCode: number; headers: Readonly<Record<string, string>> }): ResponseStream;
  };
}

/** Undefined where there is no streaming. The SDK makes the global object, too, without what streams. */
export function lambdaStreaming(): AwsLambda | undefined {
  const { streamifyResponse, HttpResponseStream } = globalThis.awslambda ?? {};
  return streamifyResponse && HttpResponseStream && { streamifyResponse, HttpResponseStream };
}

declare global {
  var awslambda: Partial<AwsLambda> | undefined;
}

/** A request to a function URL: payload format 2.0 of API Gateway's HTTP APIs. */
export const urlEvent = z.object({
  rawPath: z.string(),
  rawQueryString: z.string().default(""),
  headers: z.record(z.string(), z.string()).default({}),
  body: z.string().optional(),
  isBase64Encoded: z.boolean().default(false),
  requestContext: z.object({ domainName: z.string().optional(), http: z.object({ method: z.string() }) }),
});
export type UrlEvent = z.infer<typeof urlEvent>;

/** What a function answers to a URL where it cannot stream. */
export interface BufferedAnswer {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly isBase64Encoded: boolean;
}
