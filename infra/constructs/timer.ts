import { Duration } from "aws-cdk-lib";
import { Rule, Schedule } from "aws-cdk-lib/aws-events";
import { LambdaFunction as LambdaTarget } from "aws-cdk-lib/aws-events-targets";
import type { Function as LambdaFunction } from "aws-cdk-lib/aws-lambda";
import type { IQueue } from "aws-cdk-lib/aws-sqs";
import { Construct } from "constructs";

export interface TimerProps {
  readonly every: Duration;
  readonly target: LambdaFunction;
  readonly lost: IQueue;
}

/** Calls a function at an even interval. A tick that comes late is worth nothing: the next one does its work. */
export class Timer extends Construct {
  readonly rule: Rule;

  constructor(scope: Construct, id: string, { every, target, lost }: TimerProps) {
    super(scope, id);
    target.configureAsyncInvoke({ retryAttempts: 0, maxEventAge: Duration.minutes(5) });
    this.rule = new Rule(this, "Rule", { schedule: Schedule.rate(every) });
    this.rule.addTarget(new LambdaTarget(target, { deadLetterQueue: lost, retryAttempts: 2, maxEventAge: Duration.minutes(5) }));
  }
}
