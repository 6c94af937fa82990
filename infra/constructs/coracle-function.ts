import { type Duration, RemovalPolicy, Validations } from "aws-cdk-lib";
import { Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import { Architecture, type Code, Function as LambdaFunction, LoggingFormat, Runtime, Tracing } from "aws-cdk-lib/aws-lambda";
import { LogGroup, RetentionDays } from "aws-cdk-lib/aws-logs";
import { Construct } from "constructs";
import type { variables } from "../../functions/names/variables.ts";
import type { FunctionName } from "../bundle.ts";

type VariableName = (typeof variables)[keyof typeof variables];
export type FunctionEnvironment = Partial<Record<VariableName, string>>;
/** The bundle of an entry point. */
export type CodeOf = (name: FunctionName) => Code;

export interface CoracleFunctionProps {
  readonly name: FunctionName;
  readonly codeOf: CodeOf;
  readonly description: string;
  readonly memoryMb: number;
  readonly timeout: Duration;
  readonly environment: FunctionEnvironment;
}

/** One entry point of `functions/`. It may write its own log, kept for a month, and its traces; all else is granted by the owners of things. */
export class CoracleFunction extends Construct {
  readonly function: LambdaFunction;

  constructor(scope: Construct, id: string, { name, codeOf, description, memoryMb, timeout, environment }: CoracleFunctionProps) {
    super(scope, id);
    const logGroup = new LogGroup(this, "Logs", { retention: RetentionDays.ONE_MONTH, removalPolicy: RemovalPolicy.DESTROY });
    const role = new Role(this, "Role", { assumedBy: new ServicePrincipal("lambda.amazonaws.com") });
    logGroup.grantWrite(role);
    this.function = new LambdaFunction(this, "Function", {
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      handler: "index.handler",
      code: codeOf(name),
      description,
      memorySize: memoryMb,
      timeout,
      environment: { ...environment },
      tracing: Tracing.ACTIVE,
      role,
      logGroup,
      loggingFormat: LoggingFormat.JSON,
    });
    Validations.of(role).acknowledge({
      id: "AwsSolutions::AwsSolutions-IAM5[Resource::*]",
      reason: "X-Ray's PutTraceSegments and PutTelemetryRecords know no resources",
    });
  }
}
