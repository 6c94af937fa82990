/** Who makes a request, as authentication.k8s.io/v1 `UserInfo` describes it. */
export interface UserInfo {
  readonly username: string;
  readonly uid?: string;
  readonly groups: readonly string[];
  readonly extra?: Readonly<Record<string, readonly string[]>>;
}

export const anonymous: UserInfo = { username: "system:anonymous", groups: ["system:unauthenticated"] };

/** The platform's own loops: allowed everything, like kube-controller-manager's loopback user. */
export const loops: UserInfo = { username: "system:apiserver", groups: ["system:masters", "system:authenticated"] };
