import type { KubernetesObject } from "../../kubernetes/object.ts";
import type { Call } from "../cluster-api.ts";
import { decodeObject, type Expected } from "../decode.ts";
import { parseFieldValidation } from "../options.ts";
import { bodyLimit, parseStrictly } from "../parse-body.ts";

/** The body as an object of the kind that is expected, as strictly as the request asks. @throws StatusError `BadRequest`, `UnsupportedMediaType` */
export async function decodeBody(
  { request, info, warnings }: Call,
  options: "CreateOptions" | "UpdateOptions",
  expected: Expected,
): Promise<KubernetesObject> {
  const validation = parseFieldValidation(options, info.query);
  const body = await request.body(bodyLimit);
  const { value, strictProblems } = parseStrictly(body, request.header("content-type"), expected.kind, validation);
  return decodeObject(value, expected, validation, (text) => warnings.push(text), strictProblems);
}
