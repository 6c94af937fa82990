import { deepEqual } from "../../deep-equal.ts";
import { jsonSyntaxProblem } from "../../json-syntax.ts";
import { configMapKeyProblems } from "../../names.ts";
import type { StatusCause } from "../../status-error.ts";
import type { ConfigMap, Secret } from "../../types.ts";
import { base64Length } from "../base64.ts";
import { forbidden, invalid, required, tooLong } from "../field-error.ts";
import { jsonTypeOf } from "../go-text.ts";
import { checkImmutable, invalidEach } from "./checks.ts";

/** What a ConfigMap or Secret may hold, in bytes (`core.MaxSecretSize`). */
export const maximumDataBytes = 1024 * 1024;

const immutableText = "field is immutable when `immutable` is set";

export function validateConfigMap({ data, binaryData }: ConfigMap): StatusCause[] {
  const causes: StatusCause[] = [];
  let bytes = 0;
  for (const key in data) {
    causes.push(...invalidEach(`data[${key}]`, key, configMapKeyProblems(key)));
    if (binaryData?.[key] !== undefined) causes.push(invalid(`data[${key}]`, key, "duplicate of key present in binaryData"));
    bytes += Buffer.byteLength(data[key] ?? "");
  }
  for (const key in binaryData) {
    causes.push(...invalidEach(`binaryData[${key}]`, key, configMapKeyProblems(key)));
    bytes += base64Length(binaryData[key] ?? "");
  }
  if (bytes > maximumDataBytes) causes.push(tooLong("[]", maximumDataBytes));
  return causes;
}

export function validateConfigMapUpdate(next: ConfigMap, live: ConfigMap): StatusCause[] {
  return [...checkFrozen(next, live, ["data", "binaryData"]), ...validateConfigMap(next)];
}

export function validateSecret(secret: Secret): StatusCause[] {
  const { data } = secret;
  const causes: StatusCause[] = [];
  let bytes = 0;
  for (const key in data) {
    causes.push(...invalidEach(`data[${key}]`, key, configMapKeyProblems(key)));
    bytes += base64Length(data[key] ?? "");
  }
  if (bytes > maximumDataBytes) causes.push(tooLong("data", maximumDataBytes));
  return [...causes, ...checkSecretType(secret)];
}

export function validateSecretUpdate(next: Secret, live: Secret): StatusCause[] {
  return [...checkImmutable(next.type, live.type, "type"), ...checkFrozen(next, live, ["data"]), ...validateSecret(next)];
}

function checkFrozen<T extends ConfigMap | Secret>(next: T, live: T, fields: readonly (keyof T & string)[]): StatusCause[] {
  if (live.immutable !== true) return [];
  const causes = next.immutable === true ? [] : [forbidden("immutable", immutableText)];
  for (const field of fields) if (!deepEqual(next[field] ?? {}, live[field] ?? {})) causes.push(forbidden(field, immutableText));
  return causes;
}

function checkSecretType({ type, data = {}, metadata }: Secret): StatusCause[] {
  const missing = (...keys: readonly string[]) => keys.filter((key) => data[key] === undefined).map((key) => required(`data[${key}]`));
  const annotation = "kubernetes.io/service-account.name";
  switch (type) {
    case "kubernetes.io/service-account-token":
      return (metadata.annotations?.[annotation] ?? "") === "" ? [required(`metadata.annotations[${annotation}]`)] : [];
    case "kubernetes.io/dockercfg":
      return checkJson(data, ".dockercfg");
    case "kubernetes.io/dockerconfigjson":
      return checkJson(data, ".dockerconfigjson");
    case "kubernetes.io/basic-auth":
      return data.username === undefined && data.password === undefined ? missing("username", "password") : [];
    case "kubernetes.io/ssh-auth":
      return (data["ssh-privatekey"] ?? "") === "" ? [required("data[ssh-privatekey]")] : [];
    case "kubernetes.io/tls":
      return missing("tls.crt", "tls.key");
    default:
      return [];
  }
}

function checkJson(data: Readonly<Record<string, string>>, key: string): StatusCause[] {
  const text = data[key];
  if (text === undefined) return [required(`data[${key}]`)];
  const refuse = (detail: string) => [invalid(`data[${key}]`, "<secret contents redacted>", detail)];
  try {
    const parsed: unknown = JSON.parse(Buffer.from(text, "base64").toString("utf8"));
    return typeof parsed === "object" && !Array.isArray(parsed)
      ? []
      : refuse(`json: cannot unmarshal ${jsonTypeOf(parsed)} into Go value of type map[string]interface {}`);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    // Go's scanner reads bytes.
    return refuse(jsonSyntaxProblem(Buffer.from(text, "base64").toString("latin1")));
  }
}
