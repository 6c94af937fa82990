import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Match, type Template } from "aws-cdk-lib/assertions";
import { beforeAll, describe, expect, it } from "vitest";
import packageFile from "../../../package.json" with { type: "json" };
import { synthesise } from "./synthesised.ts";

const settings = {
  containerDomainName: "watch.example.com",
  containerCertificateArn: "arn:aws:acm:us-east-1:123456789012:certificate/00000000-0000-0000-0000-000000000001",
  containers: 2,
};

interface Statement {
  readonly Action: string | string[];
  readonly Resource: unknown;
  readonly Condition?: object;
}

/** Five stacks are synthesised, and the Dockerfile's folder is hashed. */
const timeout = 120_000;

describe("containers beside the functions", { timeout }, () => {
  let stacks: ReturnType<typeof synthesise>;
  let container: Template;
  beforeAll(() => {
    stacks = synthesise(settings);
    if (!stacks.container) throw new Error("there is no such stack");
    container = stacks.container;
  }, timeout);

  const statements = (): Statement[] =>
    Object.values(container.findResources("AWS::IAM::Policy")).flatMap(({ Properties }) => Properties.PolicyDocument.Statement);

  it("are absent unless asked for", () => {
    expect(synthesise().container).toBeUndefined();
  });

  it("serve the cluster API and agents' tunnels alone, turn nothing, and end slowly enough for a load balancer to notice", () => {
    container.hasResourceProperties("AWS::ECS::TaskDefinition", {
      ...{ Cpu: "256", Memory: "512", NetworkMode: "awsvpc", RuntimePlatform: { CpuArchitecture: "ARM64" } },
      ContainerDefinitions: [
        Match.objectLike({
          Environment: Match.arrayWith([
            { Name: "CORACLE_HOST", Value: "0.0.0.0" },
            { Name: "CORACLE_PORT", Value: "7443" },
            { Name: "CORACLE_SURFACES", Value: "cluster" },
            { Name: "CORACLE_LOOPS", Value: "off" },
            { Name: "CORACLE_DRAIN_SECONDS", Value: "25" },
            { Name: "CORACLE_CONNECTIONS_URL", Value: "https://watch.example.com" },
            { Name: "CORACLE_TABLE", Value: Match.anyValue() },
            { Name: "CORACLE_SECRET", Value: Match.anyValue() },
            { Name: "CORACLE_TENANT_ROLE", Value: Match.anyValue() },
          ]),
          ...{ ReadonlyRootFilesystem: true, StopTimeout: 60 },
        }),
      ],
    });
  });

  it("reach no more of the table than the cluster API's function and nodes' credentials, and a tenant's data in a session of the tenant's", () => {
    const confined = (all: readonly Statement[]): unknown[] =>
      all
        .filter(({ Action, Condition }) => Condition && [Action].flat()[0]?.startsWith("dynamodb:"))
        .map(({ Action, Condition }) => [Action, Condition]);
    const ofFunction = Object.entries(stacks.api.findResources("AWS::IAM::Policy"))
      .filter(([id]) => /^Cluster(Api|TenantAccess)/.test(id))
      .flatMap(([, { Properties }]) => Properties.PolicyDocument.Statement as Statement[]);
    expect(confined(ofFunction).length).toBeGreaterThan(3);
    const credentials = [
      "dynamodb:GetItem",
      expect.objectContaining({ "ForAllValues:StringLike": { "dynamodb:LeadingKeys": ["node-credential#*#records"] } }),
    ];
    const expected = [...confined(ofFunction), credentials];
    expect(confined(statements())).toHaveLength(expected.length);
    expect(confined(statements())).toEqual(expect.arrayContaining(expected));
    expect(statements().filter(({ Action, Condition }) => !Condition && [Action].flat().includes("dynamodb:PutItem"))).toEqual([]);
    container.hasResourceProperties("AWS::IAM::Role", { MaxSessionDuration: 3600 });
  });

  it("have no rights over everything but the one that knows no resources", () => {
    const everything = statements().filter(({ Resource }) => Resource === "*");
    expect(everything.map(({ Action }) => Action)).toEqual(["ecr:GetAuthorizationToken"]);
    for (const { Action } of statements()) expect([Action].flat().filter((action) => action.includes("*"))).toEqual([]);
  });

  it("have no NAT gateway and no endpoint that is paid by the hour: the table is reached by a gateway that leads to it alone", () => {
    container.resourceCountIs("AWS::EC2::NatGateway", 0);
    container.resourceCountIs("AWS::EC2::VPCEndpoint", 1);
    container.hasResourceProperties("AWS::EC2::VPCEndpoint", {
      VpcEndpointType: "Gateway",
      PolicyDocument: { Statement: [Match.objectLike({ Action: Match.arrayWith(["dynamodb:Query"]), Resource: Match.objectLike({}) })] },
    });
    container.hasResourceProperties("AWS::ECS::Service", {
      NetworkConfiguration: { AwsvpcConfiguration: { AssignPublicIp: "ENABLED" } },
    });
  });

  it("are in two zones that nobody has to be asked for when the stack is synthesised", () => {
    const zones = Object.values(container.findResources("AWS::EC2::Subnet")).map(({ Properties }) => Properties.AvailabilityZone);
    expect(zones).toEqual([0, 1].map((index) => ({ "Fn::Select": [index, { "Fn::GetAZs": "" }] })));
  });

  it("are entered by the load balancer alone, which ends TLS and asks each whether it is ready", () => {
    const open = Object.values(container.findResources("AWS::EC2::SecurityGroup")).filter(
      ({ Properties }) => Properties.SecurityGroupIngress !== undefined,
    );
    const ingress = open.map(({ Properties }) => Properties.SecurityGroupIngress);
    expect(ingress).toEqual([[expect.objectContaining({ CidrIp: "0.0.0.0/0", FromPort: 443, ToPort: 443 })]]);
    container.hasResourceProperties("AWS::EC2::SecurityGroupIngress", { FromPort: 7443, SourceSecurityGroupId: Match.anyValue() });
    container.hasResourceProperties("AWS::ElasticLoadBalancingV2::Listener", {
      ...{ Port: 443, Protocol: "TLS", Certificates: [{ CertificateArn: settings.containerCertificateArn }] },
      SslPolicy: "ELBSecurityPolicy-TLS13-1-2-Res-2021-06",
    });
    container.hasResourceProperties("AWS::ElasticLoadBalancingV2::TargetGroup", {
      ...{ Port: 7443, Protocol: "TLS", TargetType: "ip", HealthCheckProtocol: "HTTPS", HealthCheckPath: "/readyz" },
      TargetGroupAttributes: Match.arrayWith([{ Key: "deregistration_delay.timeout_seconds", Value: "30" }]),
    });
  });

  it("are as many as were asked for at the least, more where they are busy, and rolled back where new ones do not get ready", () => {
    container.hasResourceProperties("AWS::ApplicationAutoScaling::ScalableTarget", { MinCapacity: 2, MaxCapacity: 4 });
    container.resourceCountIs("AWS::ApplicationAutoScaling::ScalingPolicy", 2);
    container.hasResourceProperties("AWS::ECS::Service", {
      DesiredCount: 2,
      DeploymentConfiguration: Match.objectLike({ MinimumHealthyPercent: 100, DeploymentCircuitBreaker: { Enable: true, Rollback: true } }),
    });
  });

  it("log for a month, and are watched by alarms", () => {
    container.allResourcesProperties("AWS::Logs::LogGroup", { RetentionInDays: 30 });
    for (const name of ["UnHealthyHostCount", "CPUUtilization", "MemoryUtilization"])
      stacks.observability.hasResourceProperties("AWS::CloudWatch::Alarm", { MetricName: name });
  });

  it("are where the cluster API's function sends who wants a connection to a node, and no other function", () => {
    const told = Object.values(stacks.api.findResources("AWS::Lambda::Function"))
      .filter(({ Properties }) => Properties.Environment?.Variables.CORACLE_CONNECTIONS_URL !== undefined)
      .map(({ Properties }) => [Properties.Description, Properties.Environment.Variables.CORACLE_CONNECTIONS_URL]);
    expect(told).toEqual([["The Kubernetes API of every cluster", "https://watch.example.com"]]);
  });

  it("are what kubeconfigs and agents name", () => {
    stacks.api.hasResourceProperties("AWS::Lambda::Function", {
      Description: "Tenants, clusters, pools, keys",
      Environment: { Variables: { CORACLE_CLUSTER_API_URL: "https://watch.example.com" } },
    });
    container.hasOutput("ContainerAliasTarget", { Value: Match.anyValue() });
  });

  it("run on the Node that the sources are written for", () => {
    const file = readFileSync(join(import.meta.dirname, "..", "..", "..", "infra", "container", "Dockerfile"), "utf8");
    expect(/node:([\d.]+)-/.exec(file)?.[1]).toBe(packageFile.devDependencies.node);
  });
});
