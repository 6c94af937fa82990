import { describe, expect, it } from "vitest";
import { actingUser } from "../../../shared/auth/impersonation.ts";
import type { RequestAttributes } from "../../../shared/auth/rbac-rules.ts";
import type { UserInfo } from "../../../shared/auth/user.ts";

const requester: UserInfo = { username: "operator", groups: ["system:authenticated"] };

function acting(headers: [string, string][], refused: (question: RequestAttributes) => boolean = () => false) {
  const questions: RequestAttributes[] = [];
  const user = actingUser(requester, headers, {
    authorize(asking, question) {
      expect(asking).toBe(requester);
      questions.push(question);
      return { allowed: !refused(question), reason: "" };
    },
  });
  return { user, questions };
}

describe("impersonation", () => {
  it("leaves a request without its headers alone", () => {
    expect(acting([])).toEqual({ user: requester, questions: [] });
  });

  it("asks for each user, group, uid and extra value, and acts as all of them", () => {
    const { user, questions } = acting([
      ["impersonate-user", "jane"],
      ["impersonate-group", "developers"],
      ["impersonate-group", "admins, of sorts"],
      ["impersonate-uid", "17"],
      ["impersonate-extra-example.com%2fscopes", "view"],
      ["impersonate-extra-example.com%2fscopes", "edit"],
    ]);
    expect(user).toEqual({
      username: "jane",
      uid: "17",
      groups: ["developers", "admins, of sorts", "system:authenticated"],
      extra: { "example.com/scopes": ["view", "edit"] },
    });
    expect(questions.map((question) => (question.kind === "resource" ? [question.group, question.resource, question.name] : []))).toEqual([
      ["", "users", "jane"],
      ["", "groups", "developers"],
      ["", "groups", "admins, of sorts"],
      ["authentication.k8s.io", "userextras", "view"],
      ["authentication.k8s.io", "userextras", "edit"],
      ["authentication.k8s.io", "uids", "17"],
    ]);
  });

  it("gives a service account the groups of its namespace, unless groups are named", () => {
    const name = "system:serviceaccount:build:bot";
    const { user, questions } = acting([["impersonate-user", name]]);
    expect(user.groups).toEqual(["system:serviceaccounts", "system:serviceaccounts:build", "system:authenticated"]);
    expect(questions).toEqual([
      { kind: "resource", verb: "impersonate", group: "", resource: "serviceaccounts", subresource: "", namespace: "build", name: "bot" },
    ]);
    const named = acting([
      ["impersonate-user", name],
      ["impersonate-group", "other"],
    ]);
    expect(named.user.groups).toEqual(["other", "system:authenticated"]);
  });

  it("keeps the anonymous user unauthenticated", () => {
    expect(acting([["impersonate-user", "system:anonymous"]]).user.groups).toEqual(["system:unauthenticated"]);
  });

  it("refuses what the requester may not impersonate", () => {
    const headers: [string, string][] = [
      ["impersonate-user", "jane"],
      ["impersonate-group", "system:masters"],
    ];
    expect(() => acting(headers, (question) => question.kind === "resource" && question.resource === "groups")).toThrow(
      'groups "system:masters" is forbidden: User "operator" cannot impersonate resource "groups" in API group "" at the cluster scope',
    );
  });

  it("refuses groups without a user", () => {
    expect(() => acting([["impersonate-group", "system:masters"]])).toThrow("without impersonating a user");
  });
});
