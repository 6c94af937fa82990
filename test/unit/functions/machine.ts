import type { NodeDescription } from "../../../shared/api/agent/protocol.ts";

/** What a machine of 8 processors says of itself. */
export const machine = (name: string): NodeDescription => ({
  ...{ name, machineId: `machine-${name}`, labels: {}, taints: [], runtime: "hollow" },
  capacity: { cpu: "8", memory: "32Gi", pods: "110" },
  allocatable: { cpu: "8", memory: "32Gi", pods: "110" },
  addresses: [{ type: "Hostname", address: name }],
  info: {
    ...{
      architecture: "amd64",
      bootID: "b",
      containerRuntimeVersion: "hollow://1",
      kernelVersion: "6",
      kubeProxyVersion: "",
      kubeletVersion: "v1.33.0",
    },
    ...{ machineID: name, operatingSystem: "linux", osImage: "none", systemUUID: name },
  },
  conditions: [{ type: "Ready", status: "True", reason: "KubeletReady", message: "agent is ready" }],
});
