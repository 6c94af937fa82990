import { describe, expect, it } from "vitest";
import { functionVariables, readDeploymentSettings } from "../../../infra/settings.ts";

const read = (context: Record<string, unknown>) => readDeploymentSettings((name) => context[name]);

describe("settings of a deployment", () => {
  it("are all optional", () => {
    expect(read({})).toEqual({});
    expect(read({ alarmEmail: "" })).toEqual({});
  });

  it("come as text from the command line", () => {
    expect(read({ alarmEmail: "a@example.com", monthlyBudgetUsd: "50" })).toEqual({ alarmEmail: "a@example.com", monthlyBudgetUsd: 50 });
  });

  it("reach the functions under the names that they read", () => {
    const settings = read({
      idlePollSeconds: "5",
      requestBurst: 50,
      webhookNetworks: "10.0.0.0/8",
      featureGates: "MutatingAdmissionPolicy=true",
      alarmEmail: "a@example.com",
    });
    expect(functionVariables(settings)).toEqual({
      CORACLE_IDLE_POLL_SECONDS: "5",
      CORACLE_REQUEST_BURST: "50",
      CORACLE_WEBHOOK_NETWORKS: "10.0.0.0/8",
      CORACLE_FEATURE_GATES: "MutatingAdmissionPolicy=true",
    });
  });

  it.each([
    [{ monthlyBudgetUsd: "50" }, "monthlyBudgetUsd needs alarmEmail"],
    [{ domainName: "clusters.example.com" }, "domainName and certificateArn go together"],
    [{ replicaRegion: "eu-west-1" }, "replicaRegion and replicaKeyArn go together"],
    [{ containerDomainName: "watch.example.com" }, "containerDomainName and containerCertificateArn go together"],
    [{ containers: "2" }, "containers and mostContainers need containerDomainName"],
    [
      { containerDomainName: "watch.example.com", containerCertificateArn: "arn:aws:acm", containers: 5, mostContainers: 4 },
      "containers may not be more than mostContainers",
    ],
    [{ alarmEmail: "nobody" }, "alarmEmail: "],
    [{ replicaRegion: "Ireland", replicaKeyArn: "arn:aws:kms" }, "replicaRegion: "],
  ])("are refused where they make no sense: %j", (context, message) => {
    expect(() => read(context)).toThrow(message);
  });
});
