import { dnsSubdomainProblems, portNumberProblems } from "../../names.ts";
import type { StatusCause } from "../../status-error.ts";
import type { AdmissionregistrationV1WebhookClientConfig } from "../../types.ts";
import { invalid, required } from "../field-error.ts";

const form = "; desired format: https://host[/path]";

/** Where a webhook is (apiserver `util/webhook/validation.go`): by URL or by Service, one of them. */
export function checkClientConfig({ url, service }: AdmissionregistrationV1WebhookClientConfig, path: string): StatusCause[] {
  if ((url === undefined) === (service === undefined)) return [required(path, "exactly one of url or service is required")];
  if (url !== undefined) return checkUrl(url, `${path}.url`);
  return service ? checkService(service, `${path}.service`) : [];
}

function checkUrl(text: string, path: string): StatusCause[] {
  const causes: StatusCause[] = [];
  const scheme = /^([a-zA-Z][a-zA-Z0-9+.-]*):/.exec(text)?.[1]?.toLowerCase() ?? "";
  if (scheme !== "https") causes.push(invalid(path, scheme, `'https' is the only allowed URL scheme${form}`));
  const [, authority = ""] = /^[^:/?#]*:?\/\/([^/?#]*)/.exec(text) ?? [];
  const at = authority.lastIndexOf("@");
  if (authority.slice(at + 1) === "") causes.push(invalid(path, "", `host must be specified${form}`));
  if (at >= 0) causes.push(invalid(path, authority.slice(0, at), "user information is not permitted in the URL"));
  const [beforeFragment = "", fragment = ""] = text.split("#", 2);
  if (fragment !== "") causes.push(invalid(path, fragment, "fragments are not permitted in the URL"));
  const query = beforeFragment.includes("?") ? beforeFragment.slice(beforeFragment.indexOf("?") + 1) : "";
  if (query !== "") causes.push(invalid(path, query, "query parameters are not permitted in the URL"));
  return causes;
}

function checkService(
  { name, namespace, port = 443, path: urlPath = "" }: NonNullable<AdmissionregistrationV1WebhookClientConfig["service"]>,
  path: string,
): StatusCause[] {
  const causes: StatusCause[] = [];
  // Kubernetes hands name and namespace over the wrong way round, and so names the other one.
  if (namespace === "") causes.push(required(`${path}.name`, "service name is required"));
  if (name === "") causes.push(required(`${path}.namespace`, "service namespace is required"));
  const problems = portNumberProblems(port);
  if (problems.length > 0) causes.push(invalid(`${path}.port`, port, `port is not valid: ${problems.join(", ")}`));
  return [...causes, ...checkPath(urlPath, `${path}.path`)];
}

function checkPath(urlPath: string, path: string): StatusCause[] {
  if (urlPath === "" || urlPath === "/") return [];
  if (urlPath === "//") return [invalid(path, urlPath, "segment[0] may not be empty")];
  const causes = urlPath.startsWith("/") ? [] : [invalid(path, urlPath, "must start with a '/'")];
  const segments = urlPath.slice(1).replace(/\/$/, "").split("/");
  return [
    ...causes,
    ...segments.flatMap((segment, index) => {
      if (segment === "") return [invalid(path, urlPath, `segment[${index}] may not be empty`)];
      return dnsSubdomainProblems(segment).map((problem) => invalid(path, urlPath, `segment[${index}]: ${problem}`));
    }),
  ];
}
