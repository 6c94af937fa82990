import { CfnBudget } from "aws-cdk-lib/aws-budgets";
import { Construct } from "constructs";

export interface MonthlyBudgetProps {
  readonly usd: number;
  readonly email: string;
}

/** Tells when the month's cost is forecast to pass the limit, and when it has passed four fifths of it. */
export class MonthlyBudget extends Construct {
  constructor(scope: Construct, id: string, { usd, email }: MonthlyBudgetProps) {
    super(scope, id);
    const subscribers = [{ subscriptionType: "EMAIL", address: email }];
    const when = (notificationType: "ACTUAL" | "FORECASTED", threshold: number) => ({
      notification: { notificationType, threshold, thresholdType: "PERCENTAGE", comparisonOperator: "GREATER_THAN" },
      subscribers,
    });
    new CfnBudget(this, "Budget", {
      budget: { budgetType: "COST", timeUnit: "MONTHLY", budgetLimit: { amount: usd, unit: "USD" } },
      notificationsWithSubscribers: [when("ACTUAL", 80), when("FORECASTED", 100)],
    });
  }
}
