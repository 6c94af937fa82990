import { describe, expect, it } from "vitest";
import { podsToDelete } from "../../../shared/controllers/replicas/pod-ranking.ts";
import type { Pod } from "../../../shared/kubernetes/types.ts";
import { pod } from "./fixtures.ts";

const nowMs = Date.UTC(2026, 0, 1);
const at = (secondsAgo: number): string => new Date(nowMs - secondsAgo * 1000).toISOString();

interface Traits {
  node?: string;
  readySecondsAgo?: number;
  createdSecondsAgo?: number;
  restarts?: number;
  cost?: string;
}

function running(name: string, { node = "a", readySecondsAgo = 100, createdSecondsAgo = 100, restarts = 0, cost }: Traits): Pod {
  return pod(name, {
    metadata: {
      uid: name,
      creationTimestamp: at(createdSecondsAgo),
      ...(cost !== undefined && { annotations: { "controller.kubernetes.io/pod-deletion-cost": cost } }),
    },
    spec: { containers: [], nodeName: node },
    status: {
      phase: "Running",
      conditions: [{ type: "Ready", status: "True", lastTransitionTime: at(readySecondsAgo) }],
      containerStatuses: [{ name: "web", image: "", imageID: "", ready: true, restartCount: restarts }],
    },
  });
}

const first = (pods: Pod[], related: Pod[] = []): string | undefined => podsToDelete(pods, related, 1, nowMs)[0]?.metadata.name;

describe("order of deletion", () => {
  it("takes the lower deletion cost, ignoring what is no number", () => {
    expect(first([running("a", { cost: "10" }), running("b", { cost: "-5" }), running("c", { cost: "+1" })])).toBe("b");
  });

  it("takes pods from the node that holds most of them", () => {
    const [a, b, c] = [running("a", { node: "lonely" }), running("b", { node: "crowded" }), running("c", { node: "crowded" })];
    expect(first([a, b, c], [a, b, c])).not.toBe("a");
    expect(first([a, b], [])).toBe("a");
  });

  it("takes what became ready more recently by an order of magnitude, else by uid", () => {
    expect(first([running("a", { readySecondsAgo: 1000 }), running("b", { readySecondsAgo: 10 })])).toBe("b");
    expect(first([running("b", { readySecondsAgo: 101 }), running("a", { readySecondsAgo: 102 })])).toBe("a");
  });

  it("takes what restarted more often, then the younger", () => {
    expect(first([running("a", { restarts: 1 }), running("b", { restarts: 3 })])).toBe("b");
    expect(first([running("a", { createdSecondsAgo: 1000 }), running("b", { createdSecondsAgo: 10 })])).toBe("b");
  });
});
