import { StatusError } from "../kubernetes/status-error.ts";
import { forbidden } from "./forbidden.ts";
import type { RbacAuthorizer } from "./rbac.ts";
import type { RequestAttributes } from "./rbac-rules.ts";
import { anonymous, type UserInfo } from "./user.ts";

/** What every header of impersonation begins with, in lower case. */
export const impersonationPrefix = "impersonate-";

const serviceAccountName = /^system:serviceaccount:([^:]+):([^:]+)$/;
const extraPrefix = "impersonate-extra-";

interface Wanted {
  readonly username: string;
  readonly uid: string | undefined;
  readonly groups: readonly string[];
  readonly extra: ReadonlyMap<string, readonly string[]>;
}

/**
 * Whom the request is made as (`kubectl --as`, `--as-group`, `--as-uid`; `WithImpersonation` of k8s.io/apiserver): the requester must be
 * allowed to `impersonate` each user, group, uid and extra value that the headers name. Without such headers it is the requester.
 * `headers`: those that begin with `impersonationPrefix`, their names in lower case, in the order they came.
 * @throws StatusError `Forbidden`; `BadRequest` when no user is named (kube-apiserver answers that with a 500)
 */
export function actingUser(
  requester: UserInfo,
  headers: readonly (readonly [name: string, value: string])[],
  authorizer: Pick<RbacAuthorizer, "authorize">,
): UserInfo {
  const wanted = wantedOf(headers);
  if (!wanted) return requester;
  for (const attributes of questionsOf(wanted)) {
    const { allowed, reason } = authorizer.authorize(requester, attributes);
    if (!allowed) throw forbidden(requester, attributes, reason);
  }
  return {
    username: wanted.username,
    ...(wanted.uid !== undefined && { uid: wanted.uid }),
    groups: groupsOf(wanted),
    ...(wanted.extra.size > 0 && { extra: Object.fromEntries(wanted.extra) }),
  };
}

function wantedOf(headers: readonly (readonly [string, string])[]): Wanted | undefined {
  if (headers.length === 0) return undefined;
  const valuesOf = (name: string): string[] => headers.flatMap(([header, value]) => (header === name && value !== "" ? [value] : []));
  const [username] = valuesOf("impersonate-user");
  const groups = valuesOf("impersonate-group");
  const [uid] = valuesOf("impersonate-uid");
  const extra = new Map<string, string[]>();
  for (const [header, value] of headers) {
    if (!header.startsWith(extraPrefix)) continue;
    const key = unescaped(header.slice(extraPrefix.length));
    extra.set(key, [...(extra.get(key) ?? []), value]);
  }
  if (username !== undefined) return { username, uid, groups, extra };
  if (groups.length === 0 && uid === undefined && extra.size === 0) return undefined;
  throw new StatusError("BadRequest", "requested groups, a uid or extra values without impersonating a user");
}

/** Keys of extra values are percent-encoded where HTTP allows no such letter; what is no encoding stays as it is. */
function unescaped(key: string): string {
  try {
    return decodeURIComponent(key);
  } catch {
    return key;
  }
}

function* questionsOf({ username, uid, groups, extra }: Wanted): Generator<RequestAttributes> {
  const question = { kind: "resource", verb: "impersonate", group: "", subresource: "", namespace: "" } as const;
  const authentication = { ...question, group: "authentication.k8s.io" } as const;
  const [, namespace, name] = serviceAccountName.exec(username) ?? [];
  if (namespace !== undefined && name !== undefined) yield { ...question, resource: "serviceaccounts", namespace, name };
  else yield { ...question, resource: "users", name: username };
  for (const group of groups) yield { ...question, resource: "groups", name: group };
  for (const [key, values] of extra)
    for (const value of values) yield { ...authentication, resource: "userextras", subresource: key, name: value };
  if (uid !== undefined) yield { ...authentication, resource: "uids", name: uid };
}

/** A service account without named groups is in its own; everybody is either authenticated or not. */
function groupsOf({ username, groups }: Wanted): string[] {
  const namespace = serviceAccountName.exec(username)?.[1];
  const own = groups.length > 0 || namespace === undefined ? groups : ["system:serviceaccounts", `system:serviceaccounts:${namespace}`];
  const isAnonymous = username === anonymous.username;
  const kinds = isAnonymous ? ["system:unauthenticated"] : ["system:authenticated", "system:unauthenticated"];
  if (own.some((group) => kinds.includes(group))) return [...own];
  return [...own, isAnonymous ? "system:unauthenticated" : "system:authenticated"];
}
