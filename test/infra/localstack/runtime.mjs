/** Lambda's runtime for LocalStack's executor: takes invocations over HTTP and hands results back, one at a time. */
import { createServer } from "node:http";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const { LOCALSTACK_RUNTIME_ENDPOINT: api, LOCALSTACK_RUNTIME_ID: id, CORACLE_INVOKE_PORT: port } = process.env;
const timeoutMs = Number(process.env.AWS_LAMBDA_FUNCTION_TIMEOUT) * 1000;

const post = (path, body) => fetch(`${api}/${path}`, { method: "POST", body, headers: { "content-type": "application/json" } });
const report = (error) => JSON.stringify({ errorType: error.name, errorMessage: error.message, stackTrace: error.stack?.split("\n") });

async function loadHandler() {
  const [file, name] = process.env._HANDLER.split(".");
  const module = await import(pathToFileURL(join(process.env.LAMBDA_TASK_ROOT, `${file}.mjs`)).href);
  return module[name];
}

async function invoke(handler, invocation) {
  const id = invocation["invoke-id"];
  const until = Date.now() + timeoutMs;
  const context = {
    awsRequestId: id,
    functionName: process.env.AWS_LAMBDA_FUNCTION_NAME,
    invokedFunctionArn: invocation["invoked-function-arn"],
    getRemainingTimeInMillis: () => Math.max(0, until - Date.now()),
  };
  let path = "response";
  let body;
  try {
    const result = await withinTime(handler(JSON.parse(invocation.payload), context));
    // A streamed answer is text that begins with its prelude; all else is JSON.
    body = typeof result === "string" && result.includes("\0".repeat(8)) ? result : JSON.stringify(result ?? null);
  } catch (error) {
    path = "error";
    body = report(error);
    console.error(error);
  }
  await post(`invocations/${id}/logs`, JSON.stringify({ logs: "" }));
  await post(`invocations/${id}/${path}`, body);
}

function withinTime(running) {
  let timer;
  const over = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`Task timed out after ${timeoutMs / 1000} seconds`)), timeoutMs);
  });
  return Promise.race([running, over]).finally(() => clearTimeout(timer));
}

try {
  const handler = await loadHandler();
  const server = createServer(async (request, answer) => {
    const chunks = await request.toArray();
    answer.end();
    await invoke(handler, JSON.parse(Buffer.concat(chunks).toString()));
  });
  server.listen(Number(port), "127.0.0.1", () => post(`status/${id}/ready`, "{}"));
} catch (error) {
  console.error(error);
  await post(`status/${id}/error`, report(error));
}
