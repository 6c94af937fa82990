import { CfnOutput } from "aws-cdk-lib";
import { type FunctionUrl, FunctionUrlAuthType, InvokeMode } from "aws-cdk-lib/aws-lambda";
import { Construct } from "constructs";
import { CoracleFunction, type CoracleFunctionProps } from "./coracle-function.ts";

export interface SurfaceProps extends CoracleFunctionProps {
  /** Name of the stack's output that says where it is. */
  readonly output: string;
}

/** A function behind a URL of its own that streams its answers. Whoever calls shows a token to the function, so the URL itself asks for none. */
export class Surface extends Construct {
  readonly function: CoracleFunction["function"];
  readonly functionUrl: FunctionUrl;
  readonly url: string;

  constructor(scope: Construct, id: string, { output, ...props }: SurfaceProps) {
    super(scope, id);
    this.function = new CoracleFunction(this, "Handler", props).function;
    this.functionUrl = this.function.addFunctionUrl({
      authType: FunctionUrlAuthType.NONE,
      invokeMode: InvokeMode.RESPONSE_STREAM,
    });
    this.url = this.functionUrl.url;
    new CfnOutput(this, "Url", { value: this.url }).overrideLogicalId(output);
  }
}
