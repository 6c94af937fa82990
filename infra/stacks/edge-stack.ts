import { CfnOutput, Duration, Stack, type StackProps, Validations } from "aws-cdk-lib";
import { Certificate } from "aws-cdk-lib/aws-certificatemanager";
import {
  AllowedMethods,
  type BehaviorOptions,
  CachePolicy,
  Distribution,
  HttpVersion,
  OriginRequestPolicy,
  PriceClass,
  SecurityPolicyProtocol,
  ViewerProtocolPolicy,
} from "aws-cdk-lib/aws-cloudfront";
import { FunctionUrlOrigin } from "aws-cdk-lib/aws-cloudfront-origins";
import type { Construct } from "constructs";
import type { Surface } from "../constructs/surface.ts";
import type { ApiStack } from "./api-stack.ts";

export interface EdgeStackProps extends StackProps {
  readonly api: ApiStack;
  readonly domainName: string;
  readonly certificateArn: string;
}

/** One name for the three surfaces. Nothing is cached: a stale discovery document makes kubectl say that a resource type does not exist. */
export class EdgeStack extends Stack {
  readonly distribution: Distribution;

  constructor(scope: Construct, id: string, { api, domainName, certificateArn, ...props }: EdgeStackProps) {
    super(scope, id, { ...props, description: "Coracle: custom domain" });
    const behaviour = (surface: Surface): BehaviorOptions => ({
      // A watch that is quiet for longer is cut; its bookmarks come every minute.
      origin: new FunctionUrlOrigin(surface.functionUrl, { readTimeout: Duration.seconds(120), keepaliveTimeout: Duration.seconds(60) }),
      allowedMethods: AllowedMethods.ALLOW_ALL,
      cachePolicy: CachePolicy.CACHING_DISABLED,
      originRequestPolicy: OriginRequestPolicy.ALL_VIEWER_EXCEPT_HOST_HEADER,
      viewerProtocolPolicy: ViewerProtocolPolicy.HTTPS_ONLY,
      compress: false,
    });
    const platform = behaviour(api.platformApi);
    this.distribution = new Distribution(this, "Distribution", {
      comment: "Coracle",
      domainNames: [domainName],
      certificate: Certificate.fromCertificateArn(this, "Certificate", certificateArn),
      minimumProtocolVersion: SecurityPolicyProtocol.TLS_V1_2_2021,
      httpVersion: HttpVersion.HTTP2_AND_3,
      priceClass: PriceClass.PRICE_CLASS_ALL,
      defaultBehavior: behaviour(api.clusterApi),
      additionalBehaviors: { "/v1/*": platform, "/openapi.json": platform, "/agent/*": behaviour(api.agentApi) },
    });
    Validations.of(this.distribution).acknowledge(
      { id: "AwsSolutions::AwsSolutions-CFR1", reason: "tenants and their machines are anywhere" },
      {
        id: "AwsSolutions::AwsSolutions-CFR2",
        reason: "every call shows a token, and requests are counted per tenant; a firewall is the account's choice",
      },
      {
        id: "AwsSolutions::AwsSolutions-CFR3",
        reason: "the functions log each request; paths name clusters and objects, and are to lie in one place",
      },
    );
    new CfnOutput(this, "AliasTarget", { value: this.distribution.distributionDomainName }).overrideLogicalId("AliasTarget");
  }
}
