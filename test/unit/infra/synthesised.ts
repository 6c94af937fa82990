import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { App, type Stack, Validations } from "aws-cdk-lib";
import { Template } from "aws-cdk-lib/assertions";
import { ContainerImage } from "aws-cdk-lib/aws-ecs";
import { Code } from "aws-cdk-lib/aws-lambda";
import { AwsSolutionsChecks } from "cdk-nag";
import { defineCoracle } from "../../../infra/coracle.ts";
import type { DeploymentSettings } from "../../../infra/settings.ts";

/** The stacks of a deployment as templates, around functions that do nothing. */
export function synthesise(settings: DeploymentSettings = {}) {
  const { stacks } = define(settings);
  const { data, api, loops, container, observability, edge } = stacks;
  return {
    data: Template.fromStack(data),
    api: Template.fromStack(api),
    loops: Template.fromStack(loops),
    container: container && Template.fromStack(container),
    observability: Template.fromStack(observability),
    edge: edge && Template.fromStack(edge),
    stacks,
  };
}

export interface Finding {
  readonly ruleName: string;
  readonly violatingConstructs: readonly { readonly constructPath: string }[];
}

/** What cdk-nag's AwsSolutions rules say of a deployment; `spoil` may break one of them first. */
export function findings(settings: DeploymentSettings, spoil?: (stack: Stack) => void): Finding[] {
  const outdir = mkdtempSync(join(tmpdir(), "coracle-nag-"));
  try {
    const { app, stacks } = define(settings, outdir);
    spoil?.(stacks.data);
    Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
    try {
      app.synth();
    } catch {
      // It throws where there are findings; the report names them.
    }
    const report = JSON.parse(readFileSync(join(outdir, "validation-report.json"), "utf8"));
    return report.pluginReports.flatMap((plugin: { violations: Finding[] }) => plugin.violations);
  } finally {
    rmSync(outdir, { recursive: true });
  }
}

function define(settings: DeploymentSettings, outdir?: string) {
  const app = new App({ ...(outdir !== undefined && { outdir }) });
  const stacks = defineCoracle(app, {
    settings,
    codeOf: () => Code.fromInline("exports.handler = () => {}"),
    // The very Dockerfile; nobody builds it here.
    containerImage: () => ContainerImage.fromAsset(join(import.meta.dirname, "..", "..", "..", "infra", "container")),
    env: { account: "123456789012", region: "us-east-1" },
  });
  return { app, stacks };
}
