import { RemovalPolicy, Validations } from "aws-cdk-lib";
import { Grant, type IGrantable } from "aws-cdk-lib/aws-iam";
import type { IKey } from "aws-cdk-lib/aws-kms";
import { Secret } from "aws-cdk-lib/aws-secretsmanager";
import { Construct } from "constructs";

export interface InstallationSecretProps {
  readonly key: IKey;
  readonly description: string;
  readonly letters: number;
}

/** By name too, since emulators pass over `excludePunctuation`. */
const punctuation = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";

/** Letters and digits that are made once, and stay when the stack goes: what is sealed with them could never be read again. */
export class InstallationSecret extends Construct {
  readonly arn: string;
  readonly #key: IKey;

  constructor(scope: Construct, id: string, { key, description, letters }: InstallationSecretProps) {
    super(scope, id);
    this.#key = key;
    const secret = new Secret(this, "Secret", {
      description,
      encryptionKey: key,
      generateSecretString: { passwordLength: letters, excludePunctuation: true, excludeCharacters: punctuation },
      removalPolicy: RemovalPolicy.RETAIN,
    });
    Validations.of(secret).acknowledge({
      id: "AwsSolutions::AwsSolutions-SMG4",
      reason: "what was sealed with the old value could not be read after a rotation",
    });
    this.arn = secret.secretArn;
  }

  /** By the reader's own policy: the key's would name roles of stacks that are made after it. */
  grantRead(grantee: IGrantable): void {
    Grant.addToPrincipal({ grantee, actions: ["secretsmanager:GetSecretValue"], resourceArns: [this.arn] });
    this.#key.grantDecrypt(grantee);
  }
}
