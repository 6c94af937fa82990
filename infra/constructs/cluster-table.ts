import { RemovalPolicy, Stack } from "aws-cdk-lib";
import { AttributeType, Billing, StreamViewType, TableEncryptionV2, TableV2 } from "aws-cdk-lib/aws-dynamodb";
import type { GatewayVpcEndpoint } from "aws-cdk-lib/aws-ec2";
import { AnyPrincipal, Grant, type IGrantable, PolicyStatement } from "aws-cdk-lib/aws-iam";
import type { IKey } from "aws-cdk-lib/aws-kms";
import { Construct } from "constructs";
import { tableKeys } from "../../functions/names.ts";

export interface ClusterTableProps {
  readonly key: IKey;
  readonly replica: { readonly region: string; readonly keyArn: string } | undefined;
}

/** What the store asks of its table. It never scans: whoever does not know a partition's key cannot find it. */
const storeActions = ["BatchGetItem", "BatchWriteItem", "ConditionCheckItem", "DeleteItem", "GetItem", "PutItem", "Query", "UpdateItem"];
const readActions = ["BatchGetItem", "GetItem", "Query"];
/** What DynamoDB does with the table's key in the caller's name. */
const keyActions = [
  "Decrypt",
  "DescribeKey",
  "Encrypt",
  "GenerateDataKey",
  "GenerateDataKeyWithoutPlaintext",
  "ReEncryptFrom",
  "ReEncryptTo",
];

/** What the cluster API writes in its own name: the installation's keys, and what it counts. A tenant's clusters it reaches in the tenant's. */
const clusterApiPartitions = [
  "platform#installation#records",
  "platform#usage-open#records",
  "*#usage-hours#records",
  "*#usage-open#records",
  "*#usage-writers#records",
];
/** What it may look into: a bootstrap token does not say whose its cluster is. */
const clusterApiReads = ["cluster#*#records"];

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

  /** Everything the store does, in every partition. */
  grantReadWrite(grantee: IGrantable): void {
    this.#grant(grantee, storeActions);
  }

  /** What whoever serves the cluster API needs in its own name, be it function or container. */
  grantClusterApi(grantee: IGrantable): void {
    this.#grant(grantee, storeActions, clusterApiPartitions);
    this.#grant(grantee, readActions, clusterApiReads);
  }

  grantStreamRead(grantee: IGrantable): void {
    this.table.grantStreamRead(grantee);
    this.#grantKey(grantee);
  }

  /** `partitions`: only in those whose keys are like one of them (`*`: any text). */
  #grant(grantee: IGrantable, actions: readonly string[], partitions?: readonly string[]): void {
    grantee.grantPrincipal.addToPrincipalPolicy(
      new PolicyStatement({
        actions: actions.map((action) => `dynamodb:${action}`),
        resources: [this.table.tableArn],
        ...(partitions && {
          // A call that names no key would pass the first alone.
          conditions: {
            "ForAllValues:StringLike": { "dynamodb:LeadingKeys": partitions },
            Null: { "dynamodb:LeadingKeys": "false" },
          },
        }),
      }),
    );
    this.#grantKey(grantee);
  }

  /** Through DynamoDB alone. */
  #grantKey(grantee: IGrantable): void {
    Grant.addToPrincipal({
      grantee,
      actions: keyActions.map((action) => `kms:${action}`),
      resourceArns: [this.#key.keyArn],
      conditions: { StringEquals: { "kms:ViaService": `dynamodb.${Stack.of(this).region}.amazonaws.com` } },
    });
  }
}
