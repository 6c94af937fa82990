import type { z } from "zod";
import { type Feature, features } from "../kubernetes/resources.ts";

/** Reads what kube-apiserver takes as `--feature-gates`, of those gates that there are here: `Gate=true,Other=false`. Answers the open ones. */
export function featureGates(text: string, context: z.RefinementCtx): Feature[] {
  const open = new Map<Feature, boolean>();
  for (const part of text.split(",").map((each) => each.trim())) {
    if (part === "") continue;
    const [name = "", value = ""] = part.split("=", 2);
    const feature = features.find((each) => each === name);
    const problem = feature ? `invalid value of ${name}: ${value}` : `unrecognized feature gate: ${name}`;
    if (feature && (value === "true" || value === "false")) open.set(feature, value === "true");
    else context.addIssue({ code: "custom", message: problem });
  }
  return features.filter((feature) => open.get(feature) === true);
}
