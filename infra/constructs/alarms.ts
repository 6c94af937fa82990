import { Duration } from "aws-cdk-lib";
import { Alarm, ComparisonOperator, type IMetric, Stats, TreatMissingData } from "aws-cdk-lib/aws-cloudwatch";
import { SnsAction } from "aws-cdk-lib/aws-cloudwatch-actions";
import type { TableV2 } from "aws-cdk-lib/aws-dynamodb";
import { Operation } from "aws-cdk-lib/aws-dynamodb";
import type { FargateService } from "aws-cdk-lib/aws-ecs";
import type { NetworkTargetGroup } from "aws-cdk-lib/aws-elasticloadbalancingv2";
import type { Function as LambdaFunction } from "aws-cdk-lib/aws-lambda";
import type { ITopic } from "aws-cdk-lib/aws-sns";
import type { IQueue } from "aws-cdk-lib/aws-sqs";
import { Construct } from "constructs";

interface Rule {
  readonly metric: IMetric;
  readonly above: number;
  /** Periods of the metric in a row. */
  readonly periods: number;
  readonly description: string;
}

/** Alarms that tell one topic. Silence is no reason for one: an idle installation measures nothing. */
export class Alarms extends Construct {
  readonly #topic: ITopic;
  readonly all: Alarm[] = [];

  constructor(scope: Construct, id: string, { topic }: { readonly topic: ITopic }) {
    super(scope, id);
    this.#topic = topic;
  }

  ofFunction(name: string, watched: LambdaFunction): void {
    const period = Duration.minutes(5);
    this.#add(`${name}Errors`, {
      metric: watched.metricErrors({ period }),
      above: 0,
      periods: 3,
      description: `${name} has failed for a quarter of an hour`,
    });
    this.#add(`${name}Throttles`, {
      metric: watched.metricThrottles({ period }),
      above: 0,
      periods: 2,
      description: `${name} is refused by the account's concurrency limit`,
    });
  }

  /** Age in milliseconds of the last record of a batch. */
  ofStream(name: string, consumer: LambdaFunction): void {
    this.#add(`${name}Lag`, {
      metric: consumer.metric("IteratorAge", { statistic: Stats.MAXIMUM, period: Duration.minutes(1) }),
      above: 60_000,
      periods: 5,
      description: `${name} is more than a minute behind the table's stream`,
    });
  }

  ofDeadLetters(name: string, queue: IQueue): void {
    this.#add(`${name}DeadLetters`, {
      metric: queue.metricApproximateNumberOfMessagesVisible({ period: Duration.minutes(1), statistic: Stats.MAXIMUM }),
      above: 0,
      periods: 1,
      description: `${name}: something could not be handled and waits for somebody to look`,
    });
  }

  ofTable(table: TableV2): void {
    const period = Duration.minutes(5);
    for (const way of ["Read", "Write"])
      this.#add(`Table${way}Throttles`, {
        metric: table.metric(`${way}ThrottleEvents`, { statistic: Stats.SUM, period }),
        above: 10,
        periods: 3,
        description: "the table refuses requests: a partition is hot, or the account's limit is reached",
      });
    for (const operation of [Operation.TRANSACT_WRITE_ITEMS, Operation.QUERY])
      this.#add(`Table${operation}Errors`, {
        metric: table.metric("SystemErrors", {
          dimensionsMap: { TableName: table.tableName, Operation: operation },
          statistic: Stats.SUM,
          period,
        }),
        above: 0,
        periods: 3,
        description: "DynamoDB itself fails",
      });
  }

  ofContainers(service: FargateService, targets: NetworkTargetGroup): void {
    const period = Duration.minutes(1);
    this.#add("ContainerUnhealthy", {
      metric: targets.metrics.unHealthyHostCount({ period, statistic: Stats.MAXIMUM }),
      above: 0,
      periods: 5,
      description: "a container has not been ready for five minutes",
    });
    for (const [name, metric] of [
      ["Processor", service.metricCpuUtilization({ period: Duration.minutes(5) })],
      ["Memory", service.metricMemoryUtilization({ period: Duration.minutes(5) })],
    ] as const)
      this.#add(`Container${name}`, {
        metric,
        above: 90,
        periods: 3,
        description: `the containers' ${name.toLowerCase()} has been at its limit for a quarter of an hour: there are no more of them than are allowed`,
      });
  }

  #add(id: string, { metric, above, periods, description }: Rule): void {
    const alarm = new Alarm(this, id, {
      metric,
      threshold: above,
      comparisonOperator: ComparisonOperator.GREATER_THAN_THRESHOLD,
      evaluationPeriods: periods,
      treatMissingData: TreatMissingData.NOT_BREACHING,
      alarmDescription: description,
    });
    alarm.addAlarmAction(new SnsAction(this.#topic));
    this.all.push(alarm);
  }
}
