import { CfnOutput, Duration, Stack, type StackProps } from "aws-cdk-lib";
import { SqsEventSource } from "aws-cdk-lib/aws-lambda-event-sources";
import type { Construct } from "constructs";
import { entryPoints } from "../../functions/names/entry-points.ts";
import { variables } from "../../functions/names/variables.ts";
import { type CodeOf, CoracleFunction } from "../constructs/coracle-function.ts";
import { StreamConsumer } from "../constructs/stream-consumer.ts";
import { TenantAccess } from "../constructs/tenant-access.ts";
import { Timer } from "../constructs/timer.ts";
import { DeadLetterQueue } from "../constructs/work-queue.ts";
import { type DeploymentSettings, functionVariables } from "../settings.ts";
import { functionSizes } from "../sizes.ts";
import { ownAccess, sessionAccess } from "../table-access.ts";
import type { ApiStack } from "./api-stack.ts";
import type { DataStack } from "./data-stack.ts";

export interface LoopsStackProps extends StackProps {
  readonly data: DataStack;
  readonly urls: ApiStack["urls"];
  readonly settings: DeploymentSettings;
  readonly codeOf: CodeOf;
}

/** What turns the clusters: the stream wakes controllers and scheduler, the clock finds what is due or was left. */
export class LoopsStack extends Stack {
  readonly onChange: CoracleFunction;
  readonly reconcile: CoracleFunction;
  readonly deliver: CoracleFunction;
  readonly meter: CoracleFunction;
  /** Batches of the stream and ticks of the clock that could not be handled. What they asked for is done by those that follow. */
  readonly lostWakes: DeadLetterQueue;

  constructor(scope: Construct, id: string, { data, urls, settings, codeOf, ...props }: LoopsStackProps) {
    super(scope, id, { ...props, description: "Coracle: controllers, scheduler, deliveries, metering" });
    const { clusters, secret, webhooks } = data;
    const environment = {
      [variables.table]: clusters.table.tableName,
      [variables.secret]: secret.arn,
      [variables.webhookQueue]: webhooks.queue.queueUrl,
      ...urls,
      ...functionVariables(settings),
    };
    const loop = (
      id: string,
      name: keyof typeof entryPoints & keyof typeof functionSizes & keyof typeof ownAccess,
      description: string,
    ): CoracleFunction => {
      const { memoryMb, timeoutSeconds } = functionSizes[name];
      const timeout = Duration.seconds(timeoutSeconds);
      const made = new CoracleFunction(this, id, { name: entryPoints[name], codeOf, description, memoryMb, timeout, environment });
      clusters.grant(made.function, ownAccess[name]);
      secret.grantRead(made.function);
      return made;
    };
    this.onChange = loop("OnChange", "onChange", "Controllers and scheduler of clusters that changed");
    this.reconcile = loop("Reconcile", "reconcile", "What is due, and what a lost wake-up left");
    this.deliver = loop("Deliver", "deliver", "Sends webhooks");
    this.meter = loop("Meter", "meter", "Counts what tenants use");
    const all = this.functions.map((each) => each.function);
    new TenantAccess(this, "TenantAccess", all, { clusters, access: sessionAccess.others });
    for (const sender of [this.onChange, this.reconcile]) webhooks.queue.grantSendMessages(sender.function);
    this.lostWakes = new DeadLetterQueue(this, "LostWakes");
    const lost = this.lostWakes.queue;
    new CfnOutput(this, "LostWakesOutput", { value: lost.queueUrl }).overrideLogicalId("LostWakesQueue");
    new CfnOutput(this, "OnChangeOutput", { value: this.onChange.function.functionName }).overrideLogicalId("OnChangeFunction");
    new StreamConsumer(this, "Changes", { clusters, consumer: this.onChange.function, lost });
    new Timer(this, "EveryMinute", { every: Duration.minutes(1), target: this.reconcile.function, lost });
    new Timer(this, "EveryHour", { every: Duration.hours(1), target: this.meter.function, lost });
    this.deliver.function.addEventSource(
      new SqsEventSource(webhooks.queue, { batchSize: 10, reportBatchItemFailures: true, maxConcurrency: 20 }),
    );
  }

  get functions(): readonly CoracleFunction[] {
    return [this.onChange, this.reconcile, this.deliver, this.meter];
  }
}
