import { RemovalPolicy, Stack } from "aws-cdk-lib";
import { AttributeType, Billing, StreamViewType, TableEncryptionV2, TableV2 } from "aws-cdk-lib/aws-dynamodb";
import type { GatewayVpcEndpoint } from "aws-cdk-lib/aws-ec2";
import { AnyPrincipal, Grant, type IGrantable, PolicyStatement } from "aws-cdk-lib/aws-iam";
import type { IKey } from "aws-cdk-lib/aws-kms";
import { Construct } from "constructs";
import { tableKeyActions, tableKeys } from "../../functions/names/table.ts";
import { type PartitionAccess, storeActions } from "../table-access.ts";

export interface ClusterTableProps {
  readonly key: IKey;
  readonly replica: { readonly region: string; readonly keyArn: string } | undefined;
}

/** The one table of an installation: clusters, their logs and the platform's records. It outlives its stack. */
export class ClusterTable extends Construct {
  readonly table: TableV2;
  readonly #key: IKey;

  constructor(scope: Construct, id: string, { key, replica }: ClusterTableProps) {
    super(scope, id);
    this.#key = key;
    this.table = new TableV2(this, "Table", {
      partitionKey: { name: tableKeys.partition, type: AttributeType.STRING },
      sortKey: { name: tableKeys.sort, type: AttributeType.STRING },
      billing: Billing.onDemand(),
      timeToLiveAttribute: tableKeys.ttl,
      // The filters of the event source look into the new item.
      dynamoStream: StreamViewType.NEW_IMAGE,
      encryption: TableEncryptionV2.customerManagedKey(key, replica && { [replica.region]: replica.keyArn }),
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true, recoveryPeriodInDays: 35 },
      deletionProtection: true,
      removalPolicy: RemovalPolicy.RETAIN,
      ...(replica && { replicas: [{ region: replica.region, deletionProtection: true }] }),
    });
  }

  /** What anybody who may use a network may do there: everything with this table, nothing with others. */
  allowThrough(endpoint: GatewayVpcEndpoint): void {
    endpoint.addToPolicy(
      new PolicyStatement({
        principals: [new AnyPrincipal()],
        actions: storeActions.map((action) => `dynamodb:${action}`),
        resources: [this.table.tableArn],
      }),
    );
  }

  /** That, and no more. */
  grant(grantee: IGrantable, access: readonly PartitionAccess[]): void {
    for (const each of access) this.#grant(grantee, each);
    this.#grantKey(grantee);
  }

  grantStreamRead(grantee: IGrantable): void {
    this.table.grantStreamRead(grantee);
    this.#grantKey(grantee);
  }

  #grant(grantee: IGrantable, { actions, partitions, except, inTransactions }: PartitionAccess): void {
    const conditions = {
      ...(partitions && { "ForAllValues:StringLike": { "dynamodb:LeadingKeys": partitions } }),
      ...(except && { "ForAllValues:StringNotLike": { "dynamodb:LeadingKeys": except } }),
      // A call that names no key would pass those alone.
      ...((partitions ?? except) && { Null: { "dynamodb:LeadingKeys": "false" } }),
      ...(inTransactions && { "ForAnyValue:StringEquals": { "dynamodb:EnclosingOperation": ["TransactWriteItems"] } }),
    };
    grantee.grantPrincipal.addToPrincipalPolicy(
      new PolicyStatement({
        actions: actions.map((action) => `dynamodb:${action}`),
        resources: [this.table.tableArn],
        conditions,
      }),
    );
  }

  /** Through DynamoDB alone. */
  #grantKey(grantee: IGrantable): void {
    Grant.addToPrincipal({
      grantee,
      actions: tableKeyActions.map((action) => `kms:${action}`),
      resourceArns: [this.#key.keyArn],
      conditions: { StringEquals: { "kms:ViaService": `dynamodb.${Stack.of(this).region}.amazonaws.com` } },
    });
  }
}
