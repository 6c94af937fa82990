import { describe, expect, it } from "vitest";
import { describeFindings, evaluatePod } from "../../../../shared/kubernetes/pod-security/evaluate.ts";
import { describeLevel, type Level, policyOf } from "../../../../shared/kubernetes/pod-security/policy.ts";
import type { ObjectMeta, PodSpec } from "../../../../shared/kubernetes/types.ts";

const latest = Number.POSITIVE_INFINITY;
const findings = (level: Level, spec: object, minor = latest, metadata: ObjectMeta = {}): string =>
  describeFindings(evaluatePod({ level, minor }, metadata, { containers: [{ name: "a", image: "i" }], ...spec } as PodSpec));
const containers = (securityContext: object, more: object = {}) => ({
  containers: [{ name: "a", image: "i", securityContext, ...more }],
});
const tight = {
  securityContext: { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } },
  ...containers({ allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } }),
};

describe("baseline", () => {
  it("has nothing against a plain pod", () => {
    expect(findings("baseline", {})).toBe("");
  });

  it.each<[string, object, string]>([
    [
      "host namespaces",
      { hostNetwork: true, hostPID: true, hostIPC: true },
      "host namespaces (hostNetwork=true, hostPID=true, hostIPC=true)",
    ],
    ["host paths", { volumes: [{ name: "v", hostPath: { path: "/" } }] }, 'hostPath volumes (volume "v")'],
    ["host ports", containers({}, { ports: [{ containerPort: 80, hostPort: 80 }] }), 'hostPort (container "a" uses hostPort 80)'],
    ["privileged containers", containers({ privileged: true }), 'privileged (container "a" must not set securityContext.privileged=true)'],
    [
      "capabilities beyond the usual",
      containers({ capabilities: { add: ["NET_RAW", "CHOWN", "SYS_ADMIN"] } }),
      'non-default capabilities (container "a" must not include "NET_RAW", "SYS_ADMIN" in securityContext.capabilities.add)',
    ],
    [
      "proc mounts",
      containers({ procMount: "Unmasked" }),
      'procMount (container "a" must not set securityContext.procMount to "Unmasked")',
    ],
    [
      "SELinux options",
      { securityContext: { seLinuxOptions: { user: "u" } }, ...containers({ seLinuxOptions: { type: "spc_t" } }) },
      'seLinuxOptions (pod and container "a" set forbidden securityContext.seLinuxOptions: type "spc_t"; user may not be set)',
    ],
    [
      "unconfined seccomp",
      containers({ seccompProfile: { type: "Unconfined" } }),
      'seccompProfile (container "a" must not set securityContext.seccompProfile.type to "Unconfined")',
    ],
    [
      "unconfined AppArmor",
      { securityContext: { appArmorProfile: { type: "Unconfined" } } },
      'forbidden AppArmor profile (pod must not set AppArmor profile type to "Unconfined")',
    ],
    ["sysctls", { securityContext: { sysctls: [{ name: "kernel.msgmax", value: "1" }] } }, "forbidden sysctls (kernel.msgmax)"],
    [
      "Windows host processes",
      { securityContext: { windowsOptions: { hostProcess: true } } },
      "hostProcess (pod must not set securityContext.windowsOptions.hostProcess=true)",
    ],
  ])("forbids %s", (_what, spec, text) => {
    expect(findings("baseline", spec)).toBe(text);
  });

  it("is as its version was", () => {
    const sysctl = { securityContext: { sysctls: [{ name: "net.ipv4.tcp_rmem", value: "1" }] } };
    expect([findings("baseline", sysctl, 31), findings("baseline", sysctl, 32)]).toEqual(["forbidden sysctls (net.ipv4.tcp_rmem)", ""]);
    const engine = containers({ seLinuxOptions: { type: "container_engine_t" } });
    expect([findings("baseline", engine, 30) === "", findings("baseline", engine, 31) === ""]).toEqual([false, true]);
    const annotations = { "seccomp.security.alpha.kubernetes.io/pod": "unconfined" };
    expect(findings("baseline", {}, 18, { annotations })).toBe(
      'seccompProfile (forbidden annotation seccomp.security.alpha.kubernetes.io/pod="unconfined")',
    );
  });
});

describe("restricted", () => {
  it("says everything that a plain pod lacks", () => {
    expect(findings("restricted", {})).toBe(
      'allowPrivilegeEscalation != false (container "a" must set securityContext.allowPrivilegeEscalation=false), ' +
        'unrestricted capabilities (container "a" must set securityContext.capabilities.drop=["ALL"]), ' +
        'runAsNonRoot != true (pod or container "a" must set securityContext.runAsNonRoot=true), ' +
        'seccompProfile (pod or container "a" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")',
    );
  });

  it("has nothing against a tight one", () => {
    expect(findings("restricted", tight)).toBe("");
  });

  it("counts every kind of container and says them in the plural", () => {
    const spec = { initContainers: [{ name: "i", image: "i" }], ephemeralContainers: [{ name: "e", image: "i" }] };
    expect(findings("restricted", spec, 18)).toBe(
      'allowPrivilegeEscalation != false (containers "i", "a", "e" must set securityContext.allowPrivilegeEscalation=false), ' +
        'runAsNonRoot != true (pod or containers "i", "a", "e" must set securityContext.runAsNonRoot=true)',
    );
  });

  it("forbids other volumes, root, and added capabilities", () => {
    const spec = {
      ...tight,
      securityContext: { ...tight.securityContext, runAsUser: 0 },
      volumes: [
        { name: "n", nfs: { server: "s", path: "/" } },
        { name: "h", hostPath: { path: "/" } },
        { name: "e", emptyDir: {} },
      ],
      ...containers({ allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"], add: ["CHOWN", "NET_BIND_SERVICE"] } }),
    };
    expect(findings("restricted", spec)).toBe(
      'unrestricted capabilities (container "a" must not include "CHOWN" in securityContext.capabilities.add), ' +
        'restricted volume types (volumes "n", "h" use restricted volume types "hostPath", "nfs"), runAsUser=0 (pod must not set runAsUser=0)',
    );
  });

  it("asks nothing of Windows that Windows does not have", () => {
    expect(findings("restricted", { os: { name: "windows" }, securityContext: { runAsNonRoot: true } })).toBe("");
  });
});

describe("labels of a namespace", () => {
  const label = (labels: Record<string, string>) =>
    policyOf(Object.fromEntries(Object.entries(labels).map(([name, value]) => [`pod-security.kubernetes.io/${name}`, value])));
  const shown = ({ policy }: ReturnType<typeof policyOf>) => [policy.enforce, policy.audit, policy.warn].map(describeLevel);

  it("say nothing: privileged", () => {
    expect(shown(policyOf({ a: "b" }))).toEqual(["privileged:latest", "privileged:latest", "privileged:latest"]);
  });

  it("that enforce warn as well, unless they say otherwise", () => {
    expect(shown(label({ enforce: "baseline", "enforce-version": "v1.30" }))).toEqual([
      "baseline:v1.30",
      "privileged:latest",
      "baseline:v1.30",
    ]);
    expect(shown(label({ enforce: "baseline", warn: "restricted" }))[2]).toBe("restricted:latest");
  });

  it("that cannot be read enforce the most, and are named", () => {
    const { policy, errors } = label({ enforce: "strict", warn: "loud", "audit-version": "1.2" });
    expect([policy.enforce.level, policy.warn.level]).toEqual(["restricted", "privileged"]);
    expect(errors.map(({ message }) => message)).toEqual([
      "must be one of privileged, baseline, restricted",
      'must be "latest" or "v1.x"',
      "must be one of privileged, baseline, restricted",
    ]);
  });
});
