import { Match } from "aws-cdk-lib/assertions";
import { describe, expect, it } from "vitest";
import { ttlAttribute } from "../../../shared/store/dynamo/create-table.ts";
import { synthesise } from "./synthesised.ts";

const table = "AWS::DynamoDB::GlobalTable";

describe("the data stack", () => {
  const { data, stacks } = synthesise();

  it("has one table, paid per request, whose stream shows new items and whose log entries expire by the store's attribute", () => {
    data.resourceCountIs(table, 1);
    data.hasResourceProperties(table, {
      BillingMode: "PAY_PER_REQUEST",
      KeySchema: [
        { AttributeName: "pk", KeyType: "HASH" },
        { AttributeName: "sk", KeyType: "RANGE" },
      ],
      StreamSpecification: { StreamViewType: "NEW_IMAGE" },
      TimeToLiveSpecification: { AttributeName: ttlAttribute, Enabled: true },
    });
  });

  it("keeps the table when the stack goes, protects it from deletion, can restore any moment, and encrypts with a key of its own", () => {
    data.hasResource(table, {
      DeletionPolicy: "Retain",
      UpdateReplacePolicy: "Retain",
      Properties: {
        SSESpecification: { SSEEnabled: true, SSEType: "KMS" },
        Replicas: [
          {
            Region: "us-east-1",
            DeletionProtectionEnabled: true,
            PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true, RecoveryPeriodInDays: 35 },
            SSESpecification: { KMSMasterKeyId: Match.anyValue() },
          },
        ],
      },
    });
    data.hasResource("AWS::KMS::Key", { DeletionPolicy: "Retain", Properties: { EnableKeyRotation: true } });
  });

  it("keeps both secrets, of the lengths that the functions ask for", () => {
    const secrets = Object.values(data.findResources("AWS::SecretsManager::Secret"));
    expect(secrets.map(({ DeletionPolicy }) => DeletionPolicy)).toEqual(["Retain", "Retain"]);
    const lengths = secrets.map(({ Properties }) => Properties.GenerateSecretString.PasswordLength);
    expect(lengths.sort()).toEqual([32, 64]);
    const printable = Array.from({ length: 94 }, (_, index) => String.fromCharCode(33 + index));
    for (const { Properties } of secrets) {
      // Without this one of each kind of character is required.
      expect(Properties.GenerateSecretString.ExcludePunctuation).toBe(true);
      const left = printable.filter((character) => !Properties.GenerateSecretString.ExcludeCharacters.includes(character));
      expect(left.join("")).toMatch(/^[0-9A-Za-z]{62}$/);
    }
  });

  it("moves a webhook that failed five times to a dead-letter queue that keeps it for two weeks", () => {
    const dead = Object.entries(data.findResources("AWS::SQS::Queue", { Properties: { MessageRetentionPeriod: 1_209_600 } }));
    expect(dead).toHaveLength(1);
    data.hasResourceProperties("AWS::SQS::Queue", {
      RedrivePolicy: { maxReceiveCount: 5, deadLetterTargetArn: { "Fn::GetAtt": [dead[0]?.[0], "Arn"] } },
      VisibilityTimeout: 360,
    });
  });

  it("cannot be deleted by mistake", () => {
    expect(stacks.data.terminationProtection).toBe(true);
  });

  it("puts a protected copy of the table into a second region on request", () => {
    const replicaKeyArn = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000";
    const { data: replicated } = synthesise({ replicaRegion: "eu-west-1", replicaKeyArn });
    replicated.hasResourceProperties(table, {
      Replicas: Match.arrayWith([
        Match.objectLike({
          Region: "eu-west-1",
          DeletionProtectionEnabled: true,
          PointInTimeRecoverySpecification: Match.objectLike({ PointInTimeRecoveryEnabled: true }),
          SSESpecification: { KMSMasterKeyId: replicaKeyArn },
        }),
      ]),
    });
  });
});
