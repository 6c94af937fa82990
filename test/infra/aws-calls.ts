import { z } from "zod";

const configuration = z.object({ Environment: z.object({ Variables: z.record(z.string(), z.string()) }) });
const functions = z.object({ Functions: z.array(z.object({ FunctionName: z.string() })) });
const attributes = z.object({ Attributes: z.object({ ApproximateNumberOfMessages: z.coerce.number() }) });

/** Emulators look at who calls which service, not at signatures. */
const signedFor = (service: string) => ({
  authorization: `AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/${service}/aws4_request, SignedHeaders=host, Signature=0`,
  "x-amz-date": "20260101T000000Z",
});

async function call(
  url: string,
  service: string,
  method: string,
  headers: Readonly<Record<string, string>>,
  body?: object,
): Promise<unknown> {
  const answer = await fetch(url, {
    method,
    headers: { ...signedFor(service), ...headers },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${url}: ${answer.status} ${text}`);
  return JSON.parse(text);
}

/** The function whose name contains the word. */
export async function findFunction(endpoint: string, word: string): Promise<string> {
  const { Functions } = functions.parse(await call(`${endpoint}/2015-03-31/functions/`, "lambda", "GET", {}));
  const [found, ...others] = Functions.filter(({ FunctionName }) => FunctionName.includes(word));
  if (!found || others.length > 0) throw new Error(`${others.length + (found ? 1 : 0)} functions are named like ${word}`);
  return found.FunctionName;
}

const configurationUrl = (endpoint: string, functionName: string): string =>
  `${endpoint}/2015-03-31/functions/${functionName}/configuration`;

/** The environment variables of a function. */
export async function readVariables(endpoint: string, functionName: string): Promise<Record<string, string>> {
  return configuration.parse(await call(configurationUrl(endpoint, functionName), "lambda", "GET", {})).Environment.Variables;
}

/** Sets an environment variable of a function; answers what it was before. */
export async function setVariable(endpoint: string, functionName: string, name: string, value: string): Promise<string> {
  const before = await readVariables(endpoint, functionName);
  const body = { Environment: { Variables: { ...before, [name]: value } } };
  await call(configurationUrl(endpoint, functionName), "lambda", "PUT", { "content-type": "application/json" }, body);
  return before[name] ?? "";
}

export async function countMessages(endpoint: string, queueUrl: string): Promise<number> {
  const headers = { "content-type": "application/x-amz-json-1.0", "x-amz-target": "AmazonSQS.GetQueueAttributes" };
  const body = { QueueUrl: queueUrl, AttributeNames: ["ApproximateNumberOfMessages"] };
  return attributes.parse(await call(`${endpoint}/`, "sqs", "POST", headers, body)).Attributes.ApproximateNumberOfMessages;
}
