import { Stack, type StackProps } from "aws-cdk-lib";
import type { Construct } from "constructs";
import { AlarmTopic } from "../constructs/alarm-topic.ts";
import { Alarms } from "../constructs/alarms.ts";
import { MonthlyBudget } from "../constructs/monthly-budget.ts";
import { Overview } from "../constructs/overview.ts";
import type { DeploymentSettings } from "../settings.ts";
import type { ApiStack } from "./api-stack.ts";
import type { ContainerStack } from "./container-stack.ts";
import type { DataStack } from "./data-stack.ts";
import type { LoopsStack } from "./loops-stack.ts";

export interface ObservabilityStackProps extends StackProps {
  readonly data: DataStack;
  readonly api: ApiStack;
  readonly loops: LoopsStack;
  readonly container: ContainerStack | undefined;
  readonly settings: DeploymentSettings;
}

export class ObservabilityStack extends Stack {
  constructor(scope: Construct, id: string, { data, api, loops, container, settings, ...props }: ObservabilityStackProps) {
    super(scope, id, { ...props, description: "Coracle: alarms, dashboard, budget" });
    const { alarmEmail, monthlyBudgetUsd } = settings;
    const { topic } = new AlarmTopic(this, "AlarmTopic", { email: alarmEmail });
    const functions = {
      ClusterApi: api.clusterApi.function,
      PlatformApi: api.platformApi.function,
      AgentApi: api.agentApi.function,
      OnChange: loops.onChange.function,
      Reconcile: loops.reconcile.function,
      Deliver: loops.deliver.function,
      Meter: loops.meter.function,
    };
    const deadLetters = { LostWakes: loops.lostWakes.queue, Webhooks: data.webhooks.deadLetters };
    const alarms = new Alarms(this, "Alarms", { topic });
    for (const [name, each] of Object.entries(functions)) alarms.ofFunction(name, each);
    for (const [name, queue] of Object.entries(deadLetters)) alarms.ofDeadLetters(name, queue);
    alarms.ofStream("OnChange", functions.OnChange);
    alarms.ofTable(data.clusters.table);
    if (container) alarms.ofContainers(container.service.service, container.targets);
    new Overview(this, "Overview", {
      ...{ alarms: alarms.all, functions, streamConsumer: functions.OnChange, table: data.clusters.table },
      deadLetters: Object.values(deadLetters),
    });
    if (monthlyBudgetUsd !== undefined && alarmEmail !== undefined)
      new MonthlyBudget(this, "Budget", { usd: monthlyBudgetUsd, email: alarmEmail });
  }
}
