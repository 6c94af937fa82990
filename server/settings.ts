import { z } from "zod";
import { featureGates } from "../shared/host/feature-gates.ts";
import { networks, readVariables } from "../shared/host/variables.ts";
import type { Feature } from "../shared/kubernetes/resources.ts";

const shape = z.object({
  CORACLE_DATA_DIR: z.string().min(1).default(".coracle"),
  CORACLE_HOST: z.union([z.ipv4(), z.ipv6()]).default("127.0.0.1"),
  CORACLE_PORT: z.coerce.number().int().min(0).max(65535).default(7443),
  CORACLE_NODES: z.coerce.number().int().min(0).max(10_000).default(1),
  CORACLE_RUNTIME: z.enum(["auto", "containerd", "process", "hollow"]).default("auto"),
  CORACLE_LOG_LEVEL: z.enum(["debug", "info", "warn", "error"]).default("warn"),
  CORACLE_WEBHOOK_ADDRESSES: z.enum(["public", "any"]).default("public"),
  CORACLE_WEBHOOK_NETWORKS: networks,
  CORACLE_FEATURE_GATES: z.string().default("").transform(featureGates),
  CONTAINER_RUNTIME_ENDPOINT: z.string().default(""),
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
  const data = readVariables(shape, environment);
  return {
    dataDirectory: data.CORACLE_DATA_DIR,
    host: data.CORACLE_HOST,
    port: data.CORACLE_PORT,
    nodes: data.CORACLE_NODES,
    runtime: data.CORACLE_RUNTIME,
    logLevel: data.CORACLE_LOG_LEVEL,
    webhooksToPrivateAddresses: data.CORACLE_WEBHOOK_ADDRESSES === "any",
    webhookNetworks: data.CORACLE_WEBHOOK_NETWORKS,
    features: data.CORACLE_FEATURE_GATES,
    runtimeEndpoint: data.CONTAINER_RUNTIME_ENDPOINT || undefined,
  };
}
