import { describe, expect, it } from "vitest";
import type { Pod } from "../../../shared/kubernetes/types.ts";
import { podRequests } from "../../../shared/scheduler/requests.ts";

type Spec = NonNullable<Pod["spec"]>;
const containerOf = (requests: Record<string, string | number>, name = "c") => ({ name, resources: { requests } });
const podOf = (spec: Spec, status: Pod["status"] = {}): Pod => ({ apiVersion: "v1", kind: "Pod", metadata: { name: "p" }, spec, status });

describe("podRequests", () => {
  it("adds up containers, in thousandths of CPUs and bytes", () => {
    const containers = [containerOf({ cpu: "1500m", memory: "1Gi" }), containerOf({ cpu: 1, memory: "128M", "ephemeral-storage": "1Ki" })];
    expect(podRequests(podOf({ containers }))).toMatchObject({
      cpuMillis: 2500,
      memoryBytes: 1024 ** 3 + 128e6,
      ephemeralStorageBytes: 1024,
      scalars: [],
    });
  });

  it("takes for granted that a container without requests uses 100m and 200Mi when it scores", () => {
    const requests = podRequests(podOf({ containers: [containerOf({}), containerOf({ cpu: 0, memory: "1Mi" })] }));
    expect(requests).toMatchObject({ cpuMillis: 0, memoryBytes: 1024 ** 2, nonZeroCpuMillis: 100, nonZeroMemoryBytes: 201 * 1024 ** 2 });
  });

  it("counts extended resources, huge pages and attachable volumes, and no other names", () => {
    const requests = { "example.com/gpu": 2, "hugepages-2Mi": "4Mi", "attachable-volumes-x": 1, "example.com/none": 0, odd: 3 };
    expect(podRequests(podOf({ containers: [containerOf(requests)] })).scalars).toEqual([
      ["example.com/gpu", 2],
      ["hugepages-2Mi", 4 * 1024 ** 2],
      ["attachable-volumes-x", 1],
    ]);
  });

  it("runs init containers one after the other, beside the sidecars that were started before", () => {
    const initContainers = [
      containerOf({ cpu: 3 }),
      { ...containerOf({ cpu: 1 }), restartPolicy: "Always" },
      containerOf({ cpu: "2500m" }),
      { ...containerOf({ cpu: 1 }), restartPolicy: "Always" },
    ];
    expect(podRequests(podOf({ containers: [containerOf({ cpu: 1 })], initContainers })).cpuMillis).toBe(3500);
    expect(podRequests(podOf({ containers: [containerOf({ cpu: 2 })], initContainers })).cpuMillis).toBe(4000);
  });

  it("adds the overhead on top", () => {
    const spec = { containers: [containerOf({ cpu: 1 })], overhead: { cpu: "250m", memory: "10Mi" } };
    expect(podRequests(podOf(spec))).toMatchObject({ cpuMillis: 1250, memoryBytes: 10 * 1024 ** 2 });
  });

  it("counts a container that is being resized with the larger of what it asks for and what it has", () => {
    const statusOf = (cpu: string): NonNullable<Pod["status"]> => ({
      containerStatuses: [{ name: "c", image: "", imageID: "", ready: true, restartCount: 0, resources: { requests: { cpu } } }],
    });
    const spec = { containers: [containerOf({ cpu: 1 })] };
    expect(podRequests(podOf(spec, statusOf("2"))).cpuMillis).toBe(2000);
    expect(podRequests(podOf(spec, statusOf("500m"))).cpuMillis).toBe(1000);
    const infeasible = { ...statusOf("500m"), conditions: [{ type: "PodResizePending", status: "True", reason: "Infeasible" }] };
    expect(podRequests(podOf(spec, infeasible)).cpuMillis).toBe(500);
  });
});
