import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { App, Validations } from "aws-cdk-lib";
import { Code } from "aws-cdk-lib/aws-lambda";
import { AwsSolutionsChecks } from "cdk-nag";
import { bundleFunctions } from "./bundle.ts";
import { defineCoracle } from "./coracle.ts";
import { readDeploymentSettings } from "./settings.ts";

const app = new App();
Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
const bundles = mkdtempSync(join(tmpdir(), "coracle-bundles-"));
await bundleFunctions(bundles);
const { CDK_DEFAULT_ACCOUNT: account, CDK_DEFAULT_REGION: region } = process.env;
defineCoracle(app, {
  settings: readDeploymentSettings((name) => app.node.tryGetContext(name)),
  codeOf: (name) => Code.fromAsset(join(bundles, name)),
  ...(account !== undefined && region !== undefined && { env: { account, region } }),
});
app.synth();
rmSync(bundles, { recursive: true });
