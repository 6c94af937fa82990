import { Queue } from "aws-cdk-lib/aws-sqs";
import { describe, expect, it } from "vitest";
import type { DeploymentSettings } from "../../../infra/settings.ts";
import { findings } from "./synthesised.ts";

const everything: DeploymentSettings = {
  alarmEmail: "operator@example.com",
  monthlyBudgetUsd: 100,
  domainName: "clusters.example.com",
  certificateArn: "arn:aws:acm:us-east-1:123456789012:certificate/00000000-0000-0000-0000-000000000000",
  containerDomainName: "watch.example.com",
  containerCertificateArn: "arn:aws:acm:us-east-1:123456789012:certificate/00000000-0000-0000-0000-000000000001",
  replicaRegion: "eu-west-1",
  replicaKeyArn: "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000",
};

/** Four stacks are synthesised and looked at, each resource by each rule. */
const timeout = 120_000;

describe("cdk-nag's AwsSolutions rules", { timeout }, () => {
  it("find nothing in a plain deployment", () => {
    expect(findings({})).toEqual([]);
  });

  it("find nothing in one with every option", () => {
    expect(findings(everything)).toEqual([]);
  });

  it("find what breaks them", () => {
    const found = findings({}, (stack) => new Queue(stack, "Careless"));
    expect(found.map(({ ruleName }) => ruleName).sort()).toEqual(["AwsSolutions-SQS3", "AwsSolutions-SQS4"]);
  });
});
