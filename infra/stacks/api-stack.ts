import { Duration, Stack, type StackProps } from "aws-cdk-lib";
import type { Construct } from "constructs";
import { entryPoints } from "../../functions/names/entry-points.ts";
import { variables } from "../../functions/names/variables.ts";
import type { CodeOf } from "../constructs/coracle-function.ts";
import { Surface } from "../constructs/surface.ts";
import { TenantAccess } from "../constructs/tenant-access.ts";
import { type DeploymentSettings, functionVariables } from "../settings.ts";
import { type FunctionSize, functionSizes } from "../sizes.ts";
import { ownAccess, sessionAccess } from "../table-access.ts";
import type { DataStack } from "./data-stack.ts";

export interface ApiStackProps extends StackProps {
  readonly data: DataStack;
  readonly settings: DeploymentSettings;
  readonly codeOf: CodeOf;
}

const sized = ({ memoryMb, timeoutSeconds }: FunctionSize) => ({ memoryMb, timeout: Duration.seconds(timeoutSeconds) });

/** The three surfaces, each a function behind a URL. */
export class ApiStack extends Stack {
  readonly clusterApi: Surface;
  readonly platformApi: Surface;
  readonly agentApi: Surface;
  /** What the loops and the surfaces tell others, by the name of the variable. */
  readonly urls: { readonly [variables.clusterApiUrl]: string; readonly [variables.agentApiUrl]: string };

  constructor(scope: Construct, id: string, { data, settings, codeOf, ...props }: ApiStackProps) {
    super(scope, id, { ...props, description: "Coracle: cluster, platform and agent API" });
    const { domainName, containerDomainName } = settings;
    const common = {
      [variables.table]: data.clusters.table.tableName,
      [variables.secret]: data.secret.arn,
      ...functionVariables(settings),
    };
    const containerUrl = containerDomainName === undefined ? undefined : `https://${containerDomainName}`;
    const publicUrl = (own: Surface): string => (domainName === undefined ? own.url : `https://${domainName}`);
    this.clusterApi = new Surface(this, "ClusterApi", {
      ...{ name: entryPoints.clusterApi, codeOf, description: "The Kubernetes API of every cluster", output: "ClusterApiUrl" },
      ...sized(functionSizes.clusterApi),
      environment: { ...common, ...(containerUrl !== undefined && { [variables.connectionsUrl]: containerUrl }) },
    });
    // What can hold watches and connections is what everybody is told of; the function answers whoever still asks it.
    const clusterApiUrl = containerUrl ?? publicUrl(this.clusterApi);
    this.agentApi = new Surface(this, "AgentApi", {
      ...{ name: entryPoints.agentApi, codeOf, description: "What node agents call", output: "AgentApiUrl" },
      ...sized(functionSizes.agentApi),
      environment: { ...common, [variables.clusterApiUrl]: clusterApiUrl },
    });
    this.urls = { [variables.clusterApiUrl]: clusterApiUrl, [variables.agentApiUrl]: publicUrl(this.agentApi) };
    this.platformApi = new Surface(this, "PlatformApi", {
      ...{ name: entryPoints.platformApi, codeOf, description: "Tenants, clusters, pools, keys", output: "PlatformApiUrl" },
      ...sized(functionSizes.platformApi),
      environment: { ...common, ...this.urls, [variables.operatorSecret]: data.operatorSecret.arn },
    });
    const functions = this.surfaces.map((surface) => surface.function);
    for (const each of functions) data.secret.grantRead(each);
    data.operatorSecret.grantRead(this.platformApi.function);
    for (const name of ["clusterApi", "platformApi", "agentApi"] as const) data.clusters.grant(this[name].function, ownAccess[name]);
    const { clusters } = data;
    new TenantAccess(this, "ClusterTenantAccess", [this.clusterApi.function], { clusters, access: sessionAccess.clusterApi });
    const platform = [this.platformApi.function, this.agentApi.function];
    new TenantAccess(this, "TenantAccess", platform, { clusters, access: sessionAccess.others });
  }

  get surfaces(): readonly Surface[] {
    return [this.clusterApi, this.platformApi, this.agentApi];
  }
}
