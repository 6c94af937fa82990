import { Duration } from "aws-cdk-lib";
import { EventSourceMapping, type Function as LambdaFunction, StartingPosition } from "aws-cdk-lib/aws-lambda";
import { SqsDlq } from "aws-cdk-lib/aws-lambda-event-sources";
import type { IQueue } from "aws-cdk-lib/aws-sqs";
import { Construct } from "constructs";
import { streamFilters } from "../../functions/names/table.ts";
import type { ClusterTable } from "./cluster-table.ts";

export interface StreamConsumerProps {
  readonly clusters: ClusterTable;
  readonly consumer: LambdaFunction;
  readonly lost: IQueue;
}

/**
 * Wakes a function by the table's stream. A batch that fails is halved until the record at fault is alone, tried again, and then told to the
 * queue of lost wakes; what it would have done is done by the next wake-up or the reconciler, which go by state.
 */
export class StreamConsumer extends Construct {
  constructor(scope: Construct, id: string, { clusters, consumer, lost }: StreamConsumerProps) {
    super(scope, id);
    const { tableStreamArn } = clusters.table;
    if (tableStreamArn === undefined) throw new Error("the table has no stream");
    clusters.grantStreamRead(consumer);
    new EventSourceMapping(this, "Mapping", {
      target: consumer,
      eventSourceArn: tableStreamArn,
      startingPosition: StartingPosition.TRIM_HORIZON,
      filters: streamFilters.map((filter) => ({ pattern: JSON.stringify(filter) })),
      batchSize: 500,
      maxBatchingWindow: Duration.seconds(0),
      // Up to ten batches of a shard at once; those of one partition key, so of one cluster's log, stay in order.
      parallelizationFactor: 10,
      reportBatchItemFailures: true,
      bisectBatchOnError: true,
      retryAttempts: 5,
      maxRecordAge: Duration.hours(1),
      onFailure: new SqsDlq(lost),
    });
  }
}
