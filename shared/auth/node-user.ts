import type { UserInfo } from "./user.ts";

const prefix = "system:node:";

/** The node that a user is, if it is one (pkg/auth/nodeidentifier); empty for one that cannot be told. */
export function nodeNameOf({ username, groups }: UserInfo): string | undefined {
  return username.startsWith(prefix) && groups.includes("system:nodes") ? username.slice(prefix.length) : undefined;
}
