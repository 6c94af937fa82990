import { CfnOutput, Duration, RemovalPolicy, Stack, type StackProps } from "aws-cdk-lib";
import { Key } from "aws-cdk-lib/aws-kms";
import type { Construct } from "constructs";
import { ClusterTable } from "../constructs/cluster-table.ts";
import { InstallationSecret } from "../constructs/installation-secret.ts";
import { WorkQueue } from "../constructs/work-queue.ts";
import type { DeploymentSettings } from "../settings.ts";
import { functionSizes } from "../sizes.ts";

export interface DataStackProps extends StackProps {
  readonly settings: DeploymentSettings;
}

/** What is kept whatever becomes of the code: the table, its key, the secrets, and webhooks on their way. */
export class DataStack extends Stack {
  readonly clusters: ClusterTable;
  /** All keys of the installation are derived from it. */
  readonly secret: InstallationSecret;
  /** The operator's first API key is made of it. */
  readonly operatorSecret: InstallationSecret;
  readonly webhooks: WorkQueue;

  constructor(scope: Construct, id: string, { settings, ...props }: DataStackProps) {
    super(scope, id, { ...props, description: "Coracle: clusters, secrets and queues", terminationProtection: true });
    const key = new Key(this, "Key", {
      description: "Coracle: table and secrets",
      enableKeyRotation: true,
      removalPolicy: RemovalPolicy.RETAIN,
    });
    const { replicaRegion: region, replicaKeyArn: keyArn } = settings;
    this.clusters = new ClusterTable(this, "Clusters", { key, replica: region && keyArn ? { region, keyArn } : undefined });
    this.secret = new InstallationSecret(this, "InstallationSecret", { key, description: "Coracle: root of all keys", letters: 64 });
    this.operatorSecret = new InstallationSecret(this, "OperatorSecret", {
      key,
      description: "Coracle: the operator's first API key",
      letters: 32,
    });
    const visibilityTimeout = Duration.seconds(6 * functionSizes.deliver.timeoutSeconds);
    this.webhooks = new WorkQueue(this, "Webhooks", { visibilityTimeout, attempts: 5 });
    new CfnOutput(this, "TableNameOutput", { value: this.clusters.table.tableName }).overrideLogicalId("TableName");
    new CfnOutput(this, "OperatorSecretOutput", { value: this.operatorSecret.arn }).overrideLogicalId("OperatorSecret");
  }
}
