import { Match } from "aws-cdk-lib/assertions";
import { describe, expect, it } from "vitest";
import { synthesise } from "./synthesised.ts";

const alarm = "AWS::CloudWatch::Alarm";

describe("the observability stack", () => {
  const { observability } = synthesise();

  it("watches errors and throttles of every function, the stream's lag, dead letters, and the table", () => {
    const count = (metric: string, properties: object = {}) => ({ metric, properties });
    for (const { metric, properties } of [count("Errors"), count("Throttles")])
      observability.resourcePropertiesCountIs(alarm, { MetricName: metric, Namespace: "AWS/Lambda", ...properties }, 7);
    observability.hasResourceProperties(alarm, { MetricName: "IteratorAge", Statistic: "Maximum", Threshold: 60_000 });
    observability.resourcePropertiesCountIs(alarm, { MetricName: "ApproximateNumberOfMessagesVisible", Threshold: 0 }, 2);
    for (const metric of ["ReadThrottleEvents", "WriteThrottleEvents", "SystemErrors"])
      observability.hasResourceProperties(alarm, {
        MetricName: metric,
        Namespace: "AWS/DynamoDB",
        Dimensions: Match.arrayWith([Match.objectLike({ Name: "TableName" })]),
      });
  });

  it("tells one topic, and holds silence for no fault", () => {
    observability.allResourcesProperties(alarm, {
      AlarmActions: [{ Ref: Match.stringLikeRegexp("^AlarmTopic") }],
      TreatMissingData: "notBreaching",
    });
    observability.resourceCountIs("AWS::SNS::Subscription", 0);
    observability.resourceCountIs("AWS::Budgets::Budget", 0);
    observability.resourceCountIs("AWS::CloudWatch::Dashboard", 1);
  });

  it("mails alarms and the budget to an address", () => {
    const { observability: mailed } = synthesise({ alarmEmail: "operator@example.com", monthlyBudgetUsd: 100 });
    mailed.hasResourceProperties("AWS::SNS::Subscription", { Protocol: "email", Endpoint: "operator@example.com" });
    mailed.hasResourceProperties("AWS::Budgets::Budget", {
      Budget: { BudgetLimit: { Amount: 100, Unit: "USD" }, TimeUnit: "MONTHLY" },
      NotificationsWithSubscribers: Match.arrayWith([
        Match.objectLike({ Subscribers: [{ SubscriptionType: "EMAIL", Address: "operator@example.com" }] }),
      ]),
    });
    expect(mailed).toBeDefined();
  });
});
