import { deepEqual } from "../../deep-equal.ts";
import { goQuote } from "../go-text.ts";

/** How Go names the fields of internal types whose differences it prints, in the order of the struct, with the text of an unset field. */
const layouts: Readonly<Record<string, readonly string[]>> = {
  "core.PodSpec": [
    "Volumes",
    "InitContainers",
    "Containers",
    "EphemeralContainers",
    "RestartPolicy",
    "TerminationGracePeriodSeconds",
    "ActiveDeadlineSeconds",
    "DNSPolicy",
    "NodeSelector",
    "ServiceAccountName",
    "AutomountServiceAccountToken",
    "NodeName",
    "SecurityContext",
    "ImagePullSecrets",
    "Hostname",
    "Subdomain",
    "SetHostnameAsFQDN",
    "Affinity",
    "SchedulerName",
    "Tolerations",
    "HostAliases",
    "PriorityClassName",
    "Priority",
    "PreemptionPolicy",
    "DNSConfig",
    "ReadinessGates",
    "RuntimeClassName",
    "Overhead",
    "EnableServiceLinks",
    "TopologySpreadConstraints",
    "OS",
    "SchedulingGates",
    "ResourceClaims",
    "Resources",
  ],
};
const unsetText: Readonly<Record<string, string>> = {
  NodeName: '""',
  Hostname: '""',
  Subdomain: '""',
  PriorityClassName: '""',
  ServiceAccountName: '""',
  SchedulerName: '""',
};
const contextLines = 2;

/**
 * What changed between two specs, after the report of go-cmp that Kubernetes puts into its messages: unchanged neighbours of a changed
 * field are printed, runs of others counted. Nested values are printed as JSON where go-cmp would descend.
 */
export function specDifference(goType: string, before: object, after: object): string {
  const live = new Map(Object.entries(before).map(([name, value]) => [goFieldOf(name), value] as const));
  const next = new Map(Object.entries(after).map(([name, value]) => [goFieldOf(name), value] as const));
  const names = layouts[goType] ?? [...new Set([...live.keys(), ...next.keys()])].sort();
  const changed = names.map((name) => !deepEqual(live.get(name), next.get(name)));
  const shown = names.map((_, index) => changed.slice(Math.max(0, index - contextLines), index + contextLines + 1).some(Boolean));
  const blocks = groupWidths(names, shown);
  const lines = [`  ${goType}{`];
  for (let index = 0; index < names.length; index++) {
    const name = names[index] ?? "";
    if (shown[index] !== true) {
      let end = index;
      while (end + 1 < names.length && shown[end + 1] !== true) end++;
      const count = end - index + 1;
      lines.push(`  \t... // ${count} identical ${count === 1 ? "field" : "fields"}`);
      index = end;
      continue;
    }
    const label = `${name}:`.padEnd((blocks[index] ?? name.length) + 2);
    if (changed[index] === true) lines.push(`- \t${label}${goText(name, live.get(name))},`, `+ \t${label}${goText(name, next.get(name))},`);
    else lines.push(`  \t${label}${goText(name, live.get(name))},`);
  }
  return `${lines.join("\n")}\n  }\n`;
}

/** The longest name in each run of shown fields: their values are aligned. */
function groupWidths(names: readonly string[], shown: readonly boolean[]): number[] {
  const widths = new Array<number>(names.length).fill(0);
  for (let start = 0; start < names.length; start++) {
    if (shown[start] !== true) continue;
    let end = start;
    while (end + 1 < names.length && shown[end + 1] === true) end++;
    const width = Math.max(...names.slice(start, end + 1).map((name) => name.length));
    widths.fill(width, start, end + 1);
    start = end;
  }
  return widths;
}

function goFieldOf(name: string): string {
  const special: Readonly<Record<string, string>> = { dnsPolicy: "DNSPolicy", dnsConfig: "DNSConfig", os: "OS" };
  return special[name] ?? name.charAt(0).toUpperCase() + name.slice(1);
}

function goText(name: string, value: unknown): string {
  if (value === undefined || value === null) return unsetText[name] ?? "nil";
  if (typeof value === "string") return goQuote(value);
  if (typeof value === "object") return Object.keys(value).length === 0 ? "&{}" : JSON.stringify(value);
  return typeof value === "number" || typeof value === "boolean" ? `&${String(value)}` : String(value);
}
