import { Duration, RemovalPolicy, Validations } from "aws-cdk-lib";
import type { ISecurityGroup, IVpc } from "aws-cdk-lib/aws-ec2";
import { SubnetType } from "aws-cdk-lib/aws-ec2";
import {
  AwsLogDriverMode,
  Cluster,
  type ContainerImage,
  ContainerInsights,
  CpuArchitecture,
  FargateService,
  FargateTaskDefinition,
  type ICluster,
  LogDrivers,
  OperatingSystemFamily,
} from "aws-cdk-lib/aws-ecs";
import { LogGroup, RetentionDays } from "aws-cdk-lib/aws-logs";
import { Construct } from "constructs";
import { containerVariables } from "../../functions/names/container-variables.ts";
import { variables } from "../../functions/names/variables.ts";
import { containerSize } from "../sizes.ts";
import { ownAccess, sessionAccess } from "../table-access.ts";
import type { ClusterTable } from "./cluster-table.ts";
import type { FunctionEnvironment } from "./coracle-function.ts";
import type { InstallationSecret } from "./installation-secret.ts";
import { TenantAccess } from "./tenant-access.ts";

export interface WatchServiceProps {
  readonly vpc: IVpc;
  readonly securityGroup: ISecurityGroup;
  readonly image: ContainerImage;
  readonly clusters: ClusterTable;
  readonly secret: InstallationSecret;
  readonly environment: FunctionEnvironment;
  /** Where clients and agents reach them. */
  readonly url: string;
  readonly tasks: { readonly least: number; readonly most: number };
}

export const containerPort = 7443;
/** Longer than a load balancer takes to notice, and than requests take to end: `server/container` needs ten seconds more. */
const drainSeconds = 25;
const stopSeconds = 60;

/**
 * Server processes that hold watches and connections to nodes: the cluster API and agents' tunnels, with the rights of the cluster API's function and a look at who a
 * node is. Functions turn the clusters.
 */
export class WatchService extends Construct {
  readonly service: FargateService;

  constructor(scope: Construct, id: string, props: WatchServiceProps) {
    super(scope, id);
    const { vpc, securityGroup, image, clusters, secret, environment, url, tasks } = props;
    const cluster = new Cluster(this, "Cluster", { vpc, containerInsightsV2: ContainerInsights.DISABLED }) as ICluster;
    const task = new FargateTaskDefinition(this, "Task", {
      cpu: containerSize.cpu,
      memoryLimitMiB: containerSize.memoryMb,
      runtimePlatform: { cpuArchitecture: CpuArchitecture.ARM64, operatingSystemFamily: OperatingSystemFamily.LINUX },
    });
    const logGroup = new LogGroup(this, "Logs", { retention: RetentionDays.ONE_MONTH, removalPolicy: RemovalPolicy.DESTROY });
    const container = task.addContainer("Server", {
      image,
      portMappings: [{ containerPort }],
      environment: {
        ...environment,
        [containerVariables.host]: "0.0.0.0",
        [containerVariables.port]: String(containerPort),
        [containerVariables.surfaces]: "cluster",
        [containerVariables.loops]: "off",
        [containerVariables.drainSeconds]: String(drainSeconds),
        [variables.connectionsUrl]: url,
        [variables.table]: clusters.table.tableName,
        [variables.secret]: secret.arn,
      },
      // A server must not wait for its log.
      logging: LogDrivers.awsLogs({ streamPrefix: "server", logGroup, mode: AwsLogDriverMode.NON_BLOCKING }),
      readonlyRootFilesystem: true,
      stopTimeout: Duration.seconds(stopSeconds),
    });
    secret.grantRead(task.taskRole);
    clusters.grant(task.taskRole, ownAccess.container);
    const user = { grantPrincipal: task.taskRole, addEnvironment: (name: string, value: string) => container.addEnvironment(name, value) };
    new TenantAccess(this, "TenantAccess", [user], { clusters, access: sessionAccess.clusterApi });
    this.service = new FargateService(this, "Service", {
      cluster,
      taskDefinition: task,
      desiredCount: tasks.least,
      minHealthyPercent: 100,
      maxHealthyPercent: 200,
      circuitBreaker: { rollback: true },
      // Ways out without a NAT gateway; nobody but the load balancer comes in.
      assignPublicIp: true,
      vpcSubnets: { subnetType: SubnetType.PUBLIC },
      securityGroups: [securityGroup],
      healthCheckGracePeriod: Duration.seconds(60),
    });
    const scaling = this.service.autoScaleTaskCount({ minCapacity: tasks.least, maxCapacity: tasks.most });
    // Fewer only slowly: whoever watches there has to come again.
    const pace = { scaleOutCooldown: Duration.minutes(1), scaleInCooldown: Duration.minutes(15) };
    scaling.scaleOnCpuUtilization("Processor", { targetUtilizationPercent: 60, ...pace });
    scaling.scaleOnMemoryUtilization("Memory", { targetUtilizationPercent: 75, ...pace });
    Validations.of(cluster).acknowledge({
      id: "AwsSolutions::AwsSolutions-ECS4",
      reason: "processor and memory of the service, which alarms and scaling go by, are measured without; Insights cost as much as a task",
    });
    Validations.of(task).acknowledge(
      { id: "AwsSolutions::AwsSolutions-ECS2", reason: "they name things; the secret itself is read by the program" },
      {
        id: "AwsSolutions::AwsSolutions-IAM5[Resource::*]",
        reason: "the execution role's ecr:GetAuthorizationToken knows no resources",
      },
    );
  }
}
