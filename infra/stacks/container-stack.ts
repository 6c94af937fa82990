import { CfnOutput, Fn, RemovalPolicy, Stack, type StackProps } from "aws-cdk-lib";
import { FlowLogDestination, FlowLogTrafficType, GatewayVpcEndpointAwsService, type IVpc, SubnetType, Vpc } from "aws-cdk-lib/aws-ec2";
import type { ContainerImage } from "aws-cdk-lib/aws-ecs";
import type { NetworkTargetGroup } from "aws-cdk-lib/aws-elasticloadbalancingv2";
import { LogGroup, RetentionDays } from "aws-cdk-lib/aws-logs";
import type { Construct } from "constructs";
import { WatchDoor } from "../constructs/watch-door.ts";
import { WatchService } from "../constructs/watch-service.ts";
import { type DeploymentSettings, functionVariables } from "../settings.ts";
import { containerSize } from "../sizes.ts";
import type { DataStack } from "./data-stack.ts";

export interface ContainerStackProps extends StackProps {
  readonly data: DataStack;
  readonly settings: DeploymentSettings;
  readonly domainName: string;
  readonly certificateArn: string;
  readonly image: ContainerImage;
}

/** Containers beside the functions that hold many watches and connections to nodes, under a name of their own. */
export class ContainerStack extends Stack {
  readonly service: WatchService;
  readonly targets: NetworkTargetGroup;

  constructor(scope: Construct, id: string, { data, settings, domainName, certificateArn, image, ...props }: ContainerStackProps) {
    super(scope, id, { ...props, description: "Coracle: containers that hold watches" });
    const { clusters, secret } = data;
    // The library's classes are no instances of its interfaces under `exactOptionalPropertyTypes`.
    const vpc: IVpc = new Vpc(this, "Network", {
      maxAzs: 2,
      natGateways: 0,
      subnetConfiguration: [{ name: "Public", subnetType: SubnetType.PUBLIC, mapPublicIpOnLaunch: false }],
    }) as IVpc;
    const flows = new LogGroup(this, "RefusedFlows", { retention: RetentionDays.ONE_MONTH, removalPolicy: RemovalPolicy.DESTROY });
    vpc.addFlowLog("Refused", { destination: FlowLogDestination.toCloudWatchLogs(flows), trafficType: FlowLogTrafficType.REJECT });
    clusters.allowThrough(vpc.addGatewayEndpoint("Table", { service: GatewayVpcEndpointAwsService.DYNAMODB }));
    const door = new WatchDoor(this, "Door", { vpc, certificateArn });
    const url = `https://${domainName}`;
    const least = settings.containers ?? 1;
    this.service = new WatchService(this, "Watches", {
      ...{ vpc, image, clusters, secret, securityGroup: door.servers, environment: functionVariables(settings), url },
      tasks: { least, most: settings.mostContainers ?? Math.max(least, containerSize.mostTasks) },
    });
    this.targets = door.leadTo(this.service.service);
    new CfnOutput(this, "AliasTarget", { value: door.balancer.loadBalancerDnsName }).overrideLogicalId("ContainerAliasTarget");
    new CfnOutput(this, "Url", { value: url }).overrideLogicalId("ContainerUrl");
  }

  /** The region's first two, whichever these are: names would be asked of AWS when the stack is synthesised, which needs credentials then and remembers the answer. */
  override get availabilityZones(): string[] {
    return [0, 1].map((index) => Fn.select(index, Fn.getAzs()));
  }
}
