import { Match } from "aws-cdk-lib/assertions";
import { describe, expect, it } from "vitest";
import { streamFilters } from "../../../functions/names/table.ts";
import { synthesise } from "./synthesised.ts";

describe("the loops stack", () => {
  const { loops } = synthesise();
  const [mapping] = Object.values(
    loops.findResources("AWS::Lambda::EventSourceMapping", { Properties: { StartingPosition: "TRIM_HORIZON" } }),
  ).map(({ Properties }) => Properties);

  it("wakes controllers by new log entries and marks of platform work, and by nothing else", () => {
    const patterns = mapping.FilterCriteria.Filters.map(({ Pattern }: { Pattern: string }) => JSON.parse(Pattern));
    expect(patterns).toEqual(streamFilters);
    expect(patterns.length).toBeGreaterThan(0);
  });

  it("asks for partial batches, halves one that fails, gives up after five more tries or an hour, and tells a queue", () => {
    expect(mapping).toMatchObject({
      FunctionResponseTypes: ["ReportBatchItemFailures"],
      BisectBatchOnFunctionError: true,
      MaximumRetryAttempts: 5,
      MaximumRecordAgeInSeconds: 3600,
      ParallelizationFactor: 10,
      DestinationConfig: { OnFailure: { Destination: { "Fn::GetAtt": [expect.stringMatching(/^LostWakes/), "Arn"] } } },
    });
  });

  it("reconciles by a rule once a minute, and meters once an hour; a late tick is not repeated by the function", () => {
    const rate = (expression: string) =>
      loops.hasResourceProperties("AWS::Events::Rule", {
        ScheduleExpression: expression,
        State: "ENABLED",
        Targets: [Match.objectLike({ DeadLetterConfig: { Arn: Match.anyValue() } })],
      });
    rate("rate(1 minute)");
    rate("rate(1 hour)");
    loops.resourceCountIs("AWS::Scheduler::Schedule", 0);
    loops.resourcePropertiesCountIs("AWS::Lambda::EventInvokeConfig", { MaximumRetryAttempts: 0 }, 2);
  });

  it("delivers webhooks from their queue, with partial batches", () => {
    loops.hasResourceProperties("AWS::Lambda::EventSourceMapping", {
      EventSourceArn: { "Fn::ImportValue": Match.stringLikeRegexp("Webhooks") },
      FunctionResponseTypes: ["ReportBatchItemFailures"],
    });
  });
});
