import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { App, Validations } from "aws-cdk-lib";
import { Platform } from "aws-cdk-lib/aws-ecr-assets";
import { ContainerImage } from "aws-cdk-lib/aws-ecs";
import { Code } from "aws-cdk-lib/aws-lambda";
import { AwsSolutionsChecks } from "cdk-nag";
import { bundleContainer, bundleFunctions } from "./bundle.ts";
import { defineCoracle } from "./coracle.ts";
import { readDeploymentSettings } from "./settings.ts";

const app = new App();
Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
const settings = readDeploymentSettings((name) => app.node.tryGetContext(name));
const bundles = mkdtempSync(join(tmpdir(), "coracle-bundles-"));
await bundleFunctions(bundles);
const image = join(bundles, "container");
if (settings.containerDomainName !== undefined) await bundleContainer(image);
const { CDK_DEFAULT_ACCOUNT: account, CDK_DEFAULT_REGION: region } = process.env;
defineCoracle(app, {
  settings,
  codeOf: (name) => Code.fromAsset(join(bundles, name)),
  containerImage: () => ContainerImage.fromAsset(image, { platform: Platform.LINUX_ARM64 }),
  ...(account !== undefined && region !== undefined && { env: { account, region } }),
});
app.synth();
rmSync(bundles, { recursive: true });
