import { z } from "zod";
import { featureGates } from "../shared/host/feature-gates.ts";
import { networks, readVariables } from "../shared/host/variables.ts";
import type { Feature } from "../shared/kubernetes/resources.ts";

const variables = {
  dataDirectory: "CORACLE_DATA_DIR",
  host: "CORACLE_HOST",
  port: "CORACLE_PORT",
  nodes: "CORACLE_NODES",
  runtime: "CORACLE_RUNTIME",
  logLevel: "CORACLE_LOG_LEVEL",
  webhookAddresses: "CORACLE_WEBHOOK_ADDRESSES",
  webhookNetworks: "CORACLE_WEBHOOK_NETWORKS",
  features: "CORACLE_FEATURE_GATES",
  runtimeEndpoint: "CONTAINER_RUNTIME_ENDPOINT",
} as const;

const shape = z.object({
  dataDirectory: z.string().min(1).default(".coracle"),
  host: z.union([z.ipv4(), z.ipv6()]).default("127.0.0.1"),
  port: z.coerce.number().int().min(0).max(65535).default(7443),
  nodes: z.coerce.number().int().min(0).max(10_000).default(1),
  runtime: z.enum(["auto", "containerd", "process", "hollow"]).default("auto"),
  logLevel: z.enum(["debug", "info", "warn", "error"]).default("warn"),
  webhookAddresses: z.enum(["public", "any"]).default("public"),
  webhookNetworks: networks,
  features: z.string().default("").transform(featureGates),
  runtimeEndpoint: z.string().optional(),
});

export interface Settings {
  readonly dataDirectory: string;
  /** The address to listen on; other machines can join only where it is not loopback. */
  readonly host: string;
  /** 0: whichever is free. */
  readonly port: number;
  /** Machines in the default cluster's pool when it is made. */
  readonly nodes: number;
  readonly runtime: "auto" | "containerd" | "process" | "hollow";
  readonly logLevel: "debug" | "info" | "warn" | "error";
  /** Tenants may have webhooks sent to addresses that are not of the public internet, and over plain HTTP. */
  readonly webhooksToPrivateAddresses: boolean;
  /** Networks beyond the public ones where admission webhooks may be, as CIDRs. */
  readonly webhookNetworks: readonly string[];
  /** Feature gates of Kubernetes that are off by default and open here. */
  readonly features: readonly Feature[];
  /** A CRI socket other than containerd's usual one. */
  readonly runtimeEndpoint: string | undefined;
}

/** The settings of the embedded host from its environment; the message of the error names the variable. @throws Error */
export function readSettings(environment: Readonly<Record<string, string | undefined>>): Settings {
  const { webhookAddresses, runtimeEndpoint, ...given } = readVariables(shape, variables, environment);
  return { ...given, webhooksToPrivateAddresses: webhookAddresses === "any", runtimeEndpoint };
}
