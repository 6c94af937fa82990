import { Duration, Validations } from "aws-cdk-lib";
import { Queue, QueueEncryption } from "aws-cdk-lib/aws-sqs";
import { Construct } from "constructs";

/** How long what could not be handled waits for somebody to look: SQS' longest. */
const keepDays = 14;

/** Where an event goes that a function gave up on. */
export class DeadLetterQueue extends Construct {
  readonly queue: Queue;

  constructor(scope: Construct, id: string) {
    super(scope, id);
    this.queue = new Queue(this, "Queue", {
      encryption: QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      retentionPeriod: Duration.days(keepDays),
    });
    Validations.of(this.queue).acknowledge({
      id: "AwsSolutions::AwsSolutions-SQS3",
      reason: "it is a dead-letter queue itself; the rule sees queues' redrive policies, not event sources and rules",
    });
  }
}

export interface WorkQueueProps {
  /** Longer than its consumer may run, six times as AWS asks. */
  readonly visibilityTimeout: Duration;
  readonly attempts: number;
}

/** A queue whose messages end in a dead-letter queue when they were tried often enough. */
export class WorkQueue extends Construct {
  readonly queue: Queue;
  readonly deadLetters: Queue;

  constructor(scope: Construct, id: string, { visibilityTimeout, attempts }: WorkQueueProps) {
    super(scope, id);
    this.deadLetters = new DeadLetterQueue(this, "DeadLetters").queue;
    this.queue = new Queue(this, "Queue", {
      encryption: QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      visibilityTimeout,
      retentionPeriod: Duration.days(4),
      deadLetterQueue: { queue: this.deadLetters, maxReceiveCount: attempts },
    });
  }
}
