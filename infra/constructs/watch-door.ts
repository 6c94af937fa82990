import { Duration, Validations } from "aws-cdk-lib";
import { Certificate } from "aws-cdk-lib/aws-certificatemanager";
import { type IVpc, Peer, Port, SecurityGroup, SubnetType } from "aws-cdk-lib/aws-ec2";
import {
  AlpnPolicy,
  type INetworkLoadBalancerTarget,
  NetworkLoadBalancer,
  type NetworkTargetGroup,
  Protocol,
  SslPolicy,
} from "aws-cdk-lib/aws-elasticloadbalancingv2";
import { Construct } from "constructs";
import { containerPort } from "./watch-service.ts";

export interface WatchDoorProps {
  readonly vpc: IVpc;
  readonly certificateArn: string;
}

/** A network load balancer in front of servers: it ends TLS with a certificate that everybody trusts, and begins it again. */
export class WatchDoor extends Construct {
  readonly balancer: NetworkLoadBalancer;
  /** Of the servers behind it: nobody else gets in. */
  readonly servers: SecurityGroup;
  readonly #certificateArn: string;

  constructor(scope: Construct, id: string, { vpc, certificateArn }: WatchDoorProps) {
    super(scope, id);
    this.#certificateArn = certificateArn;
    const outside = new SecurityGroup(this, "Outside", {
      vpc,
      description: "Coracle: who may ask the containers",
      allowAllOutbound: false,
    });
    this.servers = new SecurityGroup(this, "Servers", { vpc, description: "Coracle: the containers" });
    outside.addIngressRule(Peer.anyIpv4(), Port.tcp(443), "tenants and their machines");
    outside.addEgressRule(this.servers, Port.tcp(containerPort), "requests and health checks");
    this.servers.addIngressRule(outside, Port.tcp(containerPort), "requests and health checks");
    this.balancer = new NetworkLoadBalancer(this, "Balancer", {
      vpc,
      internetFacing: true,
      vpcSubnets: { subnetType: SubnetType.PUBLIC },
      securityGroups: [outside],
      // One container serves both zones.
      crossZoneEnabled: true,
    });
    Validations.of(outside).acknowledge({
      id: "AwsSolutions::AwsSolutions-EC23",
      reason: "tenants and their machines are anywhere; every call shows a token",
    });
    Validations.of(this.balancer).acknowledge({
      id: "AwsSolutions::AwsSolutions-ELB2",
      reason: "of TLS connections it could log addresses alone; requests are logged by the server where they fail",
    });
  }

  /** Lets in whoever has a right name for it to `target`, and answers how well that is. */
  leadTo(target: INetworkLoadBalancerTarget): NetworkTargetGroup {
    const listener = this.balancer.addListener("Tls", {
      port: 443,
      protocol: Protocol.TLS,
      sslPolicy: SslPolicy.TLS13_RES,
      alpnPolicy: AlpnPolicy.HTTP1_ONLY,
      certificates: [Certificate.fromCertificateArn(this, "Certificate", this.#certificateArn)],
    });
    return listener.addTargets("Servers", {
      port: containerPort,
      protocol: Protocol.TLS,
      targets: [target],
      deregistrationDelay: Duration.seconds(30),
      healthCheck: {
        protocol: Protocol.HTTPS,
        path: "/readyz",
        healthyHttpCodes: "200",
        interval: Duration.seconds(10),
        timeout: Duration.seconds(5),
        healthyThresholdCount: 2,
        unhealthyThresholdCount: 2,
      },
    });
  }
}
