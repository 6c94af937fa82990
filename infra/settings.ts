import { z } from "zod";
import { variables } from "../functions/names/variables.ts";
import type { FunctionEnvironment } from "./constructs/coracle-function.ts";

const emails = z.email().optional();

const shape = z
  .object({
    /** Alarms and the budget tell this address; AWS asks it to confirm. */
    alarmEmail: emails,
    /** A budget for the account's month; only with `alarmEmail`. */
    monthlyBudgetUsd: z.coerce.number().positive().optional(),
    /** `clusters.example.com`: one name for all three surfaces, by CloudFront; only with `certificateArn`. */
    domainName: z.hostname().optional(),
    /** Of AWS Certificate Manager in us-east-1. */
    certificateArn: z.string().startsWith("arn:").optional(),
    /** `watch.clusters.example.com`: where a container serves the cluster API to many watches; only with `containerCertificateArn`. */
    containerDomainName: z.hostname().optional(),
    /** Of AWS Certificate Manager in this region. */
    containerCertificateArn: z.string().startsWith("arn:").optional(),
    /** How many containers run at the least, and at the most; only with `containerDomainName`. */
    containers: z.coerce.number().int().min(1).max(100).optional(),
    mostContainers: z.coerce.number().int().min(1).max(100).optional(),
    /** A copy of the table for the day the first region is gone. */
    replicaRegion: z
      .string()
      .regex(/^[a-z]{2}(-[a-z]+)+-\d$/)
      .optional(),
    /** The replica's key must exist there already. Only with `replicaRegion`. */
    replicaKeyArn: z.string().startsWith("arn:").optional(),
    logLevel: z.enum(["debug", "info", "warn", "error"]).optional(),
    /** When agents with nothing to do call again: each call is a request that is paid, and a node that is gone is noticed after three. */
    idlePollSeconds: z.coerce.number().min(1).max(300).optional(),
    /** How often each function's instance writes what tenants used: what one that is lost has not written is not billed. */
    usageSeconds: z.coerce.number().int().min(1).max(3600).optional(),
    /** What a tenant may ask of the cluster API. */
    requestsPerSecond: z.coerce.number().min(1).max(100_000).optional(),
    requestBurst: z.coerce.number().min(1).max(100_000).optional(),
    /** CIDRs with commas: where admission webhooks may be beside public addresses. */
    webhookNetworks: z.string().min(1).optional(),
    /** `MutatingAdmissionPolicy=true`. */
    featureGates: z.string().min(1).optional(),
  })
  .refine((given) => given.monthlyBudgetUsd === undefined || given.alarmEmail !== undefined, "monthlyBudgetUsd needs alarmEmail")
  .refine((given) => (given.domainName === undefined) === (given.certificateArn === undefined), "domainName and certificateArn go together")
  .refine(
    (given) => (given.containerDomainName === undefined) === (given.containerCertificateArn === undefined),
    "containerDomainName and containerCertificateArn go together",
  )
  .refine(
    ({ containers, mostContainers, containerDomainName }) =>
      (containers ?? mostContainers) === undefined || containerDomainName !== undefined,
    "containers and mostContainers need containerDomainName",
  )
  .refine(
    ({ containers = 1, mostContainers = containers }) => containers <= mostContainers,
    "containers may not be more than mostContainers",
  )
  .refine(
    (given) => (given.replicaRegion === undefined) === (given.replicaKeyArn === undefined),
    "replicaRegion and replicaKeyArn go together",
  );

/** What a deployment may choose, each by `-c name=value` or in `cdk.json`. Nothing of it is needed. */
export type DeploymentSettings = z.infer<typeof shape>;

const ofStacks = [
  ...(["alarmEmail", "monthlyBudgetUsd", "domainName", "certificateArn", "replicaRegion", "replicaKeyArn"] as const),
  ...(["containerDomainName", "containerCertificateArn", "containers", "mostContainers"] as const),
] as const;
const ofFunctions = [
  ...(["logLevel", "idlePollSeconds", "usageSeconds", "requestsPerSecond", "requestBurst", "webhookNetworks"] as const),
  ...(["featureGates"] as const),
] as const;

/** Settings that are the functions' own, as they read them. */
export function functionVariables(settings: DeploymentSettings): FunctionEnvironment {
  const given = ofFunctions.filter((name) => settings[name] !== undefined);
  return Object.fromEntries(given.map((name) => [variables[name], String(settings[name])]));
}

/** @throws Error that names the setting */
export function readDeploymentSettings(contextOf: (name: string) => unknown): DeploymentSettings {
  const given = [...ofStacks, ...ofFunctions]
    .map((name) => [name, contextOf(name)] as const)
    .filter(([, value]) => value !== undefined && value !== "");
  const parsed = shape.safeParse(Object.fromEntries(given));
  if (parsed.success) return parsed.data;
  throw new Error(parsed.error.issues.map(({ path, message }) => [path.join("."), message].filter(Boolean).join(": ")).join("; "));
}
