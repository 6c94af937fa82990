import { z } from "zod";
import { PlatformError } from "../problem.ts";

/** The platform's bodies are small; what is larger is a mistake or an attack. */
const maxBytes = 1024 * 1024;
const jsonType = /^application\/([\w.-]+\+)?json\s*(;|$)/i;

/**
 * The body of a request to a route whose body has this schema: `undefined` where it takes none, `{}` where none came.
 * @throws PlatformError `too-large`, `unsupported-media-type`, `malformed`
 */
export async function readBody(request: Request, schema: z.ZodType): Promise<{ text: string; value: unknown }> {
  if (schema instanceof z.ZodUndefined) return { text: "", value: undefined };
  const bytes = await readLimited(request);
  if (bytes.length === 0) return { text: "", value: {} };
  if (!jsonType.test(request.headers.get("content-type") ?? "")) {
    throw new PlatformError("unsupported-media-type", "Send the body with `Content-Type: application/json`.");
  }
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return { text, value: JSON.parse(text) };
  } catch (error) {
    throw new PlatformError("malformed", `The body is not JSON: ${error instanceof SyntaxError ? error.message : "it is not UTF-8"}`);
  }
}

async function readLimited(request: Request): Promise<Buffer> {
  const tooLarge = () => new PlatformError("too-large", `The body may have ${maxBytes} bytes.`);
  if (Number(request.headers.get("content-length") ?? 0) > maxBytes) throw tooLarge();
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of request.body ?? []) {
    length += chunk.byteLength;
    if (length > maxBytes) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
