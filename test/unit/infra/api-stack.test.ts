import { Match } from "aws-cdk-lib/assertions";
import { describe, expect, it } from "vitest";
import { variables } from "../../../functions/names/variables.ts";
import { synthesise } from "./synthesised.ts";

describe("the API stack", () => {
  const { api } = synthesise();

  it("serves three surfaces behind function URLs that stream, and says where", () => {
    api.resourcePropertiesCountIs("AWS::Lambda::Url", { AuthType: "NONE", InvokeMode: "RESPONSE_STREAM" }, 3);
    for (const output of ["ClusterApiUrl", "PlatformApiUrl", "AgentApiUrl"]) api.hasOutput(output, { Value: Match.anyValue() });
  });

  it("runs each on the Node that the sources are written for, traced, with a log group that forgets after a month", () => {
    api.resourceCountIs("AWS::Lambda::Function", 3);
    api.allResourcesProperties("AWS::Lambda::Function", {
      Runtime: "nodejs24.x",
      TracingConfig: { Mode: "Active" },
      LoggingConfig: { LogFormat: "JSON", LogGroup: Match.anyValue() },
    });
    api.allResourcesProperties("AWS::Logs::LogGroup", { RetentionInDays: 30 });
  });

  it("lets a watch last as long as a function may", () => {
    api.hasResourceProperties("AWS::Lambda::Function", { Description: "The Kubernetes API of every cluster", Timeout: 900 });
  });

  it("tells each function the role of its sessions, which nobody but these functions takes on: the cluster API one of its own", () => {
    api.allResourcesProperties("AWS::Lambda::Function", {
      Environment: { Variables: { [variables.tenantRole]: Match.anyValue(), [variables.table]: Match.anyValue() } },
    });
    const roles = Object.values(api.findResources("AWS::IAM::Role", { Properties: { MaxSessionDuration: 3600 } }));
    const takenOnBy = roles.map((role) => {
      const statements: { Principal: object; Action: string }[] = role.Properties.AssumeRolePolicyDocument.Statement;
      expect(statements.map(({ Action }) => Action)).toEqual(statements.map(() => "sts:AssumeRole"));
      return statements.map(({ Principal }) => /"AWS":\{"Fn::GetAtt":\["(\w+)ApiHandlerRole/.exec(JSON.stringify(Principal))?.[1]);
    });
    expect(takenOnBy.toSorted()).toEqual([["Cluster"], ["Platform", "Agent"]]);
  });

  it("shows the operator's secret to the platform API alone", () => {
    const policies = Object.entries(api.findResources("AWS::IAM::Policy"));
    const readers = policies.filter(([, policy]) => JSON.stringify(policy).includes("OperatorSecret")).map(([id]) => id);
    expect(readers).toHaveLength(1);
    expect(readers[0]).toMatch(/^PlatformApi/);
  });
});

describe("permissions", () => {
  it("name resources: none is for all of them but the traces", () => {
    const { api, loops, data } = synthesise();
    const statements = [api, loops, data].flatMap((template) =>
      Object.values(template.findResources("AWS::IAM::Policy")).flatMap(
        ({ Properties }) => Properties.PolicyDocument.Statement as { Action: string | string[]; Resource: unknown }[],
      ),
    );
    expect(statements.length).toBeGreaterThan(20);
    for (const { Action, Resource } of statements) {
      if (Resource === "*") expect([Action].flat().every((action) => action.startsWith("xray:"))).toBe(true);
      expect([Action].flat().filter((action) => action.includes("*"))).toEqual([]);
    }
  });
});

describe("a custom domain", { timeout: 60_000 }, () => {
  const certificateArn = "arn:aws:acm:us-east-1:123456789012:certificate/00000000-0000-0000-0000-000000000000";

  it("is one distribution that caches nothing and sends each path to its surface", () => {
    const { edge } = synthesise({ domainName: "clusters.example.com", certificateArn });
    const cachingDisabled = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad";
    const behaviour = (path: string) => Match.objectLike({ PathPattern: path, CachePolicyId: cachingDisabled });
    edge?.hasResourceProperties("AWS::CloudFront::Distribution", {
      DistributionConfig: {
        Aliases: ["clusters.example.com"],
        DefaultCacheBehavior: { CachePolicyId: cachingDisabled, ViewerProtocolPolicy: "https-only" },
        CacheBehaviors: [behaviour("/v1/*"), behaviour("/openapi.json"), behaviour("/agent/*")],
      },
    });
    expect(edge).toBeDefined();
  });

  it("is what kubeconfigs and agents are told", () => {
    const { api } = synthesise({ domainName: "clusters.example.com", certificateArn });
    api.hasResourceProperties("AWS::Lambda::Function", {
      Description: "Tenants, clusters, pools, keys",
      Environment: {
        Variables: {
          [variables.clusterApiUrl]: "https://clusters.example.com",
          [variables.agentApiUrl]: "https://clusters.example.com",
        },
      },
    });
  });

  it("is absent unless asked for", () => {
    expect(synthesise().edge).toBeUndefined();
  });
});
