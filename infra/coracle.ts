import { type App, type Environment, Tags } from "aws-cdk-lib";
import type { ContainerImage } from "aws-cdk-lib/aws-ecs";
import type { CodeOf } from "./constructs/coracle-function.ts";
import type { DeploymentSettings } from "./settings.ts";
import { ApiStack } from "./stacks/api-stack.ts";
import { ContainerStack } from "./stacks/container-stack.ts";
import { DataStack } from "./stacks/data-stack.ts";
import { EdgeStack } from "./stacks/edge-stack.ts";
import { LoopsStack } from "./stacks/loops-stack.ts";
import { ObservabilityStack } from "./stacks/observability-stack.ts";

export interface CoracleProps {
  readonly settings: DeploymentSettings;
  readonly codeOf: CodeOf;
  /** Asked for only where a container is wanted. */
  readonly containerImage: () => ContainerImage;
  readonly env?: Environment;
}

/** Puts the stacks together, by life cycle: data stays, the functions come and go with the code. */
export function defineCoracle(app: App, { settings, codeOf, containerImage, env }: CoracleProps) {
  const props = { settings, codeOf, ...(env && { env }) };
  const data = new DataStack(app, "CoracleData", props);
  const api = new ApiStack(app, "CoracleApi", { ...props, data });
  const loops = new LoopsStack(app, "CoracleLoops", { ...props, data, urls: api.urls });
  const { domainName, certificateArn, containerDomainName, containerCertificateArn } = settings;
  const container =
    containerDomainName !== undefined && containerCertificateArn !== undefined
      ? new ContainerStack(app, "CoracleContainer", {
          ...{ ...props, data, domainName: containerDomainName, certificateArn: containerCertificateArn },
          image: containerImage(),
        })
      : undefined;
  const observability = new ObservabilityStack(app, "CoracleObservability", { ...props, data, api, loops, container });
  const edge =
    domainName !== undefined && certificateArn !== undefined
      ? new EdgeStack(app, "CoracleEdge", { ...(env && { env }), api, domainName, certificateArn })
      : undefined;
  Tags.of(app).add("application", "coracle");
  return { data, api, loops, container, observability, edge };
}
