import { Duration } from "aws-cdk-lib";
import { type Alarm, AlarmStatusWidget, Dashboard, GraphWidget, Stats } from "aws-cdk-lib/aws-cloudwatch";
import type { TableV2 } from "aws-cdk-lib/aws-dynamodb";
import type { Function as LambdaFunction } from "aws-cdk-lib/aws-lambda";
import type { IQueue } from "aws-cdk-lib/aws-sqs";
import { Construct } from "constructs";

export interface OverviewProps {
  readonly alarms: readonly Alarm[];
  readonly functions: Readonly<Record<string, LambdaFunction>>;
  readonly streamConsumer: LambdaFunction;
  readonly table: TableV2;
  readonly deadLetters: readonly IQueue[];
}

/** The dashboard: is anything wrong, who works how much and how long, what does the table spend. */
export class Overview extends Construct {
  constructor(scope: Construct, id: string, { alarms, functions, streamConsumer, table, deadLetters }: OverviewProps) {
    super(scope, id);
    const period = Duration.minutes(5);
    const named = Object.entries(functions);
    const graph = (title: string, left: GraphWidget["props"]["left"]) => new GraphWidget({ title, left, width: 12, period });
    new Dashboard(this, "Dashboard", {
      defaultInterval: Duration.hours(3),
      widgets: [
        [new AlarmStatusWidget({ title: "Alarms", alarms: [...alarms], width: 24 })],
        [
          graph(
            "Invocations",
            named.map(([label, each]) => each.metricInvocations({ label })),
          ),
          graph(
            "Duration, 99th percentile",
            named.map(([label, each]) => each.metricDuration({ label, statistic: Stats.percentile(99) })),
          ),
        ],
        [
          graph(
            "Errors",
            named.map(([label, each]) => each.metricErrors({ label })),
          ),
          graph(
            "Concurrent executions",
            named.map(([label, each]) => each.metric("ConcurrentExecutions", { label, statistic: Stats.MAXIMUM })),
          ),
        ],
        [
          graph("Table: units", [table.metricConsumedReadCapacityUnits(), table.metricConsumedWriteCapacityUnits()]),
          graph("Stream: lag in ms", [streamConsumer.metric("IteratorAge", { statistic: Stats.MAXIMUM })]),
        ],
        [
          graph(
            "Dead letters",
            deadLetters.map((queue) => queue.metricApproximateNumberOfMessagesVisible()),
          ),
        ],
      ],
    });
  }
}
