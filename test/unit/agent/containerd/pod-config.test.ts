import { describe, expect, it } from "vitest";
import { containerConfigOf, imageOf, sandboxConfigOf, sandboxFactsOf } from "../../../../agent/containerd/pod-config.ts";
import type { ContainerSpec } from "../../../../agent/runtime.ts";
import { containerSpecOf, plainSecurity, sandboxSpecOf } from "../../../contract/runtime-specs.ts";

const sandbox = sandboxSpecOf("/var/log/pods/shop_web-0_u1", {
  ...{ podUid: "u1", namespace: "shop", name: "web-0", hostname: "web-0", attempt: 2, labels: { app: "web" } },
  dns: { servers: ["169.254.64.1"], searches: ["shop.svc.cluster.local"], options: ["ndots:5"] },
  portMappings: [{ hostPort: 8080, containerPort: 80, protocol: "TCP", hostIp: "" }],
  sysctls: { "net.core.somaxconn": "1024" },
});

const container = containerSpecOf("app:1", ["run"], {
  imageId: "sha256:1",
  args: ["--fast"],
  environment: [{ name: "A", value: "b" }],
  mounts: [{ hostPath: "/h", containerPath: "/c", readOnly: true, propagation: "HostToContainer" }],
  security: { ...plainSecurity, dropCapabilities: ["ALL"], noNewPrivileges: true },
  resources: { cpuRequestMillis: 0, cpuLimitMillis: undefined, memoryLimitBytes: undefined, oomScoreAdjust: 1000 },
});

const namespaceOptions = { network: "POD", pid: "CONTAINER", ipc: "POD" } as const;
const facts = { logDirectory: "/l", hostname: "web-0", namespaceOptions, privileged: false };
const configured = (spec: Partial<ContainerSpec>, image?: Parameters<typeof containerConfigOf>[3]) =>
  containerConfigOf({ ...container, ...spec }, facts, { app: "web", "io.kubernetes.pod.uid": "u1" }, image);

describe("sandboxConfigOf", () => {
  it("names the pod as the kubelet does, and the cluster and node beside it", () => {
    expect(sandboxConfigOf(sandbox, "n1")).toMatchObject({
      metadata: { name: "web-0", uid: "u1", namespace: "shop", attempt: 2 },
      hostname: "web-0",
      labels: {
        app: "web",
        "io.kubernetes.pod.name": "web-0",
        "io.kubernetes.pod.namespace": "shop",
        "io.kubernetes.pod.uid": "u1",
        "coracle.dev/cluster": "c1",
        "coracle.dev/instance": "n1",
      },
      port_mappings: [{ protocol: "TCP", container_port: 80, host_port: 8080, host_ip: "" }],
      linux: { sysctls: { "net.core.somaxconn": "1024" } },
    });
  });

  it("leaves name resolution to the runtime when the pod wants the host's", () => {
    expect(sandboxConfigOf({ ...sandbox, dns: undefined }, "n1")).not.toHaveProperty("dns_config");
  });

  it("keeps in the sandbox what its containers need after a restart of the agent", () => {
    const config = sandboxConfigOf({ ...sandbox, hostNetwork: true, hostPid: true, hostIpc: true }, "n1");
    expect(config).toHaveProperty("annotations");
    const kept = "annotations" in config ? sandboxFactsOf(Object(config.annotations)) : undefined;
    expect(kept).toEqual({
      logDirectory: "/var/log/pods/shop_web-0_u1",
      hostname: "",
      namespaceOptions: { network: "NODE", pid: "NODE", ipc: "NODE" },
      privileged: false,
    });
  });

  it("lets its containers be privileged where one of them is", () => {
    const securityOf = (privileged: boolean) => sandboxConfigOf({ ...sandbox, privileged }, "n1");
    expect(securityOf(true)).toMatchObject({ linux: { security_context: { privileged: true } } });
    expect(securityOf(false)).toMatchObject({ linux: { security_context: { privileged: false } } });
  });

  it("shares the process namespace of the pod only when asked", () => {
    const pidOf = (share: boolean) => sandboxConfigOf({ ...sandbox, shareProcessNamespace: share }, "n1");
    expect(pidOf(true)).toMatchObject({ linux: { security_context: { namespace_options: { pid: "POD" } } } });
    expect(pidOf(false)).toMatchObject({ linux: { security_context: { namespace_options: { pid: "CONTAINER" } } } });
  });
});

describe("sandboxFactsOf", () => {
  it("knows nothing of a sandbox of someone else", () => {
    expect(sandboxFactsOf({})).toBeUndefined();
  });
});

describe("containerConfigOf", () => {
  it("carries only the labels that identify the pod, and the container's name", () => {
    expect(configured({})).toMatchObject({ labels: { "io.kubernetes.pod.uid": "u1", "io.kubernetes.container.name": "main" } });
    expect(configured({})).not.toHaveProperty("labels.app");
  });

  it("remembers the image as it was written", () => {
    const config = configured({});
    expect("annotations" in config ? imageOf(Object(config.annotations)) : undefined).toBe("app:1");
  });

  it.each([
    [0, undefined, { cpu_shares: "2" }],
    [500, 1500, { cpu_shares: "512", cpu_period: "100000", cpu_quota: "150000" }],
    [1, 5, { cpu_shares: "2", cpu_quota: "1000" }],
    [1_000_000, undefined, { cpu_shares: "262144" }],
  ])("turns a request of %s and a limit of %s millicores into shares and quota", (cpuRequestMillis, cpuLimitMillis, expected) => {
    const resources = { ...container.resources, cpuRequestMillis, cpuLimitMillis };
    expect(configured({ resources })).toMatchObject({ linux: { resources: expected } });
  });

  it("masks the paths of /proc and /sys that a container must not see, unless it is privileged", () => {
    expect(configured({})).toHaveProperty("linux.security_context.masked_paths", expect.arrayContaining(["/proc/kcore"]));
    const security = { ...container.security, privileged: true };
    expect(configured({ security })).not.toHaveProperty("linux.security_context.masked_paths");
  });

  it("names the image's user when only a group is asked for", () => {
    const security = { ...container.security, runAsGroup: 7 };
    const image = { id: "i", repo_tags: [], repo_digests: [], uid: undefined, username: "app" };
    const group = { run_as_group: { value: "7" } };
    expect(configured({ security }, image)).toMatchObject({ linux: { security_context: { run_as_username: "app", ...group } } });
    expect(configured({ security })).toMatchObject({ linux: { security_context: { run_as_user: { value: "0" }, ...group } } });
  });

  it("leaves the user to the image when nothing is asked for", () => {
    expect(configured({})).not.toHaveProperty("linux.security_context.run_as_user");
  });

  it("translates mounts", () => {
    expect(configured({})).toMatchObject({
      mounts: [{ host_path: "/h", container_path: "/c", readonly: true, propagation: "PROPAGATION_HOST_TO_CONTAINER" }],
    });
  });
});
