import { deepEqual } from "../../deep-equal.ts";
import type { StatusCause } from "../../status-error.ts";
import type { MatchCondition, MutatingWebhookConfiguration, ValidatingWebhookConfiguration } from "../../types.ts";
import { checkMatchConditions } from "./admission-policies.ts";
import { validateWebhooks } from "./server-objects.ts";

type Configuration = ValidatingWebhookConfiguration | MutatingWebhookConfiguration;

/** The whole of a webhook configuration: its webhooks, and their match conditions unless none of them changed. */
export function validateWebhookConfiguration(next: Configuration, live?: Configuration): StatusCause[] {
  const before = conditionsOf(live);
  const conditions = conditionsOf(next);
  const same = live !== undefined && deepEqual(conditions, before);
  const problems = same ? [] : conditions.flatMap((each, index) => checkMatchConditions(each, false, `webhooks[${index}].matchConditions`));
  return [...validateWebhooks(next), ...problems];
}

const conditionsOf = (configuration: Configuration | undefined): MatchCondition[][] =>
  (configuration?.webhooks ?? []).map(({ matchConditions = [] }) => matchConditions);
