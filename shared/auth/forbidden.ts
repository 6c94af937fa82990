import { StatusError } from "../kubernetes/status-error.ts";
import type { RequestAttributes } from "./rbac-rules.ts";
import type { UserInfo } from "./user.ts";

/** The 403 of kube-apiserver (k8s.io/apiserver `ForbiddenStatusError`). `reason` comes from the authorizer and may be empty. */
export function forbidden(user: UserInfo, request: RequestAttributes, reason: string): StatusError {
  const because = reason === "" ? "" : `: ${reason}`;
  const who = `User ${JSON.stringify(user.username)} cannot ${request.verb}`;
  if (request.kind === "nonResource") {
    return new StatusError("Forbidden", `forbidden: ${who} path ${JSON.stringify(request.path)}${because}`, {});
  }
  const { group, resource, subresource, namespace, name } = request;
  const what = subresource === "" ? resource : `${resource}/${subresource}`;
  const where = namespace === "" ? "at the cluster scope" : `in the namespace "${namespace}"`;
  const subject = `${group === "" ? resource : `${resource}.${group}`}${name === "" ? "" : ` ${JSON.stringify(name)}`}`;
  return new StatusError(
    "Forbidden",
    `${subject} is forbidden: ${who} resource ${JSON.stringify(what)} in API group "${group}" ${where}${because}`,
    { ...(name !== "" && { name }), ...(group !== "" && { group }), kind: resource },
  );
}
