import { z } from "zod";
import type { ConfigMap, EndpointSlice, Pod, Secret, Service } from "../../kubernetes/types.ts";
import { podStatusReport } from "./pod-status-report.ts";

/**
 * The agent protocol, version 1. A machine joins a *pool* once and then syncs: everything else travels in these calls.
 * Every call may be repeated after a lost answer, and either side may have restarted in between.
 * Failures are RFC 9457 problem documents (`problem.ts`): 401 unknown credential, 410 the node was removed from its pool.
 */
export const agentPaths = {
  join: "/agent/v1/join",
  sync: "/agent/v1/sync",
  /** Several nodes of one process in one call (hollow fleets). */
  syncBatch: "/agent/v1/sync-batch",
  /** Where the server's own certificate is not the cluster's: a certificate under which the node stands for the API server. */
  certificate: "/agent/v1/certificate",
  stream: (id: string) => `/agent/v1/streams/${encodeURIComponent(id)}`,
  /** `GET` with `Upgrade: coracle-tunnel`: the answer to a stream of kind `tunnel`. From the 101 on, the server is an HTTP/2 client and the agent its server. */
  tunnel: (id: string) => `/agent/v1/tunnels/${encodeURIComponent(id)}`,
} as const;

export const agentLimits = {
  /** Longest time the server may hold a sync. */
  waitSeconds: 55,
  batch: 100,
  statuses: 1000,
  events: 1000,
  bodyBytes: 16 * 1024 * 1024,
} as const;

const text = z.string().max(4096);
const name = z.string().min(1).max(253);
const quantities = z.record(z.string().max(317), z.union([z.string().max(64), z.number()]));
const labels = z.record(z.string().max(317), z.string().max(253));

/** What a machine says of itself; `status` and `metadata` of its Node objects are made of it. Sent whole whenever it changed. */
export const nodeDescription = z.object({
  /** A wish; the answer to the join says which name it got. A DNS subdomain. */
  name: z.string().regex(/^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/),
  /** Stays the same over reinstalls of the agent: the same machine may join again under its name. */
  machineId: z.string().min(1).max(128),
  labels,
  taints: z.array(
    z.object({ key: name, value: z.string().max(63).exactOptional(), effect: z.enum(["NoSchedule", "PreferNoSchedule", "NoExecute"]) }),
  ),
  capacity: quantities,
  allocatable: quantities,
  addresses: z.array(
    z.object({ type: z.enum(["Hostname", "InternalIP", "ExternalIP", "InternalDNS", "ExternalDNS"]), address: z.string().min(1).max(253) }),
  ),
  info: z.object({
    architecture: text,
    bootID: text,
    containerRuntimeVersion: text,
    kernelVersion: text,
    kubeProxyVersion: text,
    kubeletVersion: text,
    machineID: text,
    operatingSystem: text,
    osImage: text,
    systemUUID: text,
  }),
  runtime: z.enum(["containerd", "process", "hollow"]),
  /** The addresses its pods get, where it has a pod network. */
  podCidr: z.string().max(64).exactOptional(),
  /** Node conditions without their times: the server keeps those. */
  conditions: z.array(z.object({ type: name, status: z.enum(["True", "False", "Unknown"]), reason: text, message: z.string().max(32768) })),
});
export type NodeDescription = z.infer<typeof nodeDescription>;

export const joinRequest = z.object({
  token: z.string().min(1).max(4096),
  node: nodeDescription,
  /** The machine's own networks, such as `192.0.2.7/24`: the range that its pods get does not overlap them. */
  networks: z.array(z.string().max(64)).max(256).exactOptional(),
});
export type JoinRequest = z.infer<typeof joinRequest>;

const clusterFacts = z.object({
  id: name,
  /** Where the cluster API lies below the server's URL, e.g. `/clusters/c1`. */
  apiPath: z.string(),
});

export const joinResponse = z.object({
  pool: name,
  nodeName: name,
  /** Bearer token of every later call. Shown once. */
  credential: z.string().min(1),
  clusters: z.array(clusterFacts),
  /** The range that its pods' addresses are of, where they have their own (containerd). It stays the node's until it is removed. */
  podCidr: z.string().exactOptional(),
});
export type JoinResponse = z.infer<typeof joinResponse>;

export const eventReport = z.object({
  cluster: name,
  /** Unique in its namespace; the same name again updates count, time and message. */
  name,
  namespace: z.string().max(63),
  involvedObject: z.object({
    apiVersion: z.string().max(253),
    kind: z.string().max(63),
    namespace: z.string().max(63).exactOptional(),
    name,
    uid: z.string().max(253),
    fieldPath: z.string().max(1024).exactOptional(),
  }),
  type: z.enum(["Normal", "Warning"]),
  reason: z.string().max(128),
  message: z.string().max(4096),
  count: z.number().int().positive(),
  firstTimestamp: z.string(),
  lastTimestamp: z.string(),
  component: z.string().max(128),
});
export type EventReport = z.infer<typeof eventReport>;

export const tokenRequest = z.object({
  cluster: name,
  namespace: name,
  podUid: z.string().min(1).max(253),
  serviceAccount: name,
  /** Empty: the API server's own. */
  audience: z.string().max(1024),
  expirationSeconds: z
    .number()
    .int()
    .min(600)
    .max(2 ** 32),
});
export type TokenRequest = z.infer<typeof tokenRequest>;

/**
 * What a call carries up, all of it optional: an agent usually has one call held open for news (`marks`, `waitSeconds`) and sends
 * statuses in others (no `marks`, no wait). Each call is a heartbeat.
 */
export const syncRequest = z.object({
  /** The description, when it changed or the server asked (`sendNode`). */
  node: nodeDescription.exactOptional(),
  /** The marks last answered, by cluster. Absent: no news wanted in this call. Empty: tell everything. */
  marks: z.record(name, z.string().max(128)).exactOptional(),
  /** Services and EndpointSlices are wanted: the node routes them, or its pods' environment shows them. */
  routes: z.boolean().exactOptional(),
  /** The mark of the peers last told, empty at first. Absent: the node does not route to other machines' pods. */
  peersMark: z.string().max(128).exactOptional(),
  /** `state` as last answered, whoever answered: when nothing is new since, the server need not look further. */
  state: z.string().max(128).exactOptional(),
  /** How long the server may hold the call while there is no news; it may answer earlier. */
  waitSeconds: z.number().min(0).max(agentLimits.waitSeconds).default(0),
  statuses: z
    .array(z.object({ cluster: name, namespace: name, name, uid: z.string().min(1).max(253), status: podStatusReport }))
    .max(agentLimits.statuses)
    .default([]),
  /** Pods being deleted whose containers are all gone: the server deletes them with grace 0. */
  ended: z
    .array(z.object({ cluster: name, namespace: name, name, uid: z.string().min(1).max(253) }))
    .max(agentLimits.statuses)
    .default([]),
  events: z.array(eventReport).max(agentLimits.events).default([]),
  tokenRequests: z.array(tokenRequest).max(200).default([]),
  usage: z.object({ cpuMillis: z.number().nonnegative(), memoryBytes: z.number().nonnegative() }).exactOptional(),
});
export type SyncRequest = z.infer<typeof syncRequest>;
/** As it is written: fields with a default may be left out. */
export type SyncRequestInput = z.input<typeof syncRequest>;

interface Named {
  metadata: { name?: string; namespace?: string; uid?: string };
}

function isNamed(value: unknown): value is Named {
  if (typeof value !== "object" || value === null || !("metadata" in value)) return false;
  const { metadata } = value;
  return typeof metadata === "object" && metadata !== null && "name" in metadata && typeof metadata.name === "string";
}

/** An object that the API server validated when it was written; checked here only for being an object with a name. */
const object = <T extends Named>() => z.custom<T>(isNamed, "a Kubernetes object");

export const objectReference = z.object({
  resource: z.enum(["configmaps", "secrets", "services", "endpointslices"]),
  namespace: z.string(),
  name: z.string(),
});
export type ObjectReference = z.infer<typeof objectReference>;

export const clusterNews = z.object({
  id: name,
  apiPath: z.string(),
  /** Opaque; say it in the next call. */
  mark: z.string(),
  /** The whole state: whatever the agent has of this cluster and is not named here is gone. */
  full: z.boolean(),
  pods: z.array(object<Pod>()),
  /** Uids of pods that are gone from the API (or from this node). */
  removedPods: z.array(z.string()),
  configMaps: z.array(object<ConfigMap>()),
  secrets: z.array(object<Secret>()),
  services: z.array(object<Service>()),
  endpointSlices: z.array(object<EndpointSlice>()),
  removed: z.array(objectReference),
});
export type ClusterNews = z.infer<typeof clusterNews>;

export const logOptions = z.object({
  follow: z.boolean().exactOptional(),
  previous: z.boolean().exactOptional(),
  timestamps: z.boolean().exactOptional(),
  tailLines: z.number().int().nonnegative().exactOptional(),
  limitBytes: z.number().int().positive().exactOptional(),
  sinceSeconds: z.number().int().positive().exactOptional(),
  /** RFC 3339. */
  sinceTime: z.string().exactOptional(),
  stream: z.enum(["All", "Stdout", "Stderr"]).exactOptional(),
});
export type LogOptions = z.infer<typeof logOptions>;

const streamTarget = { cluster: name, namespace: name, pod: name, podUid: z.string(), container: name };

const logRequest = z.object({ kind: z.literal("log"), ...streamTarget, options: logOptions });
export type LogRequest = z.infer<typeof logRequest>;

const tunnelRequest = z.object({
  kind: z.literal("tunnel"),
  /** Without a path: the server that it has to lead to. Absent: the one that the agent calls. */
  url: z.url().exactOptional(),
  /** Which of several processes at that address; whichever other one the connection comes to answers 421 (RFC 9110 §15.5.20). */
  process: z.string().max(128).exactOptional(),
});
export type TunnelRequest = z.infer<typeof tunnelRequest>;

/** What a caller of the cluster API wants from a container; `tunnel`: a connection for all that has bytes in both directions. */
export const streamRequest = z.discriminatedUnion("kind", [logRequest, tunnelRequest]);
export type StreamRequest = z.infer<typeof streamRequest>;

export const tunnelProtocol = "coracle-tunnel";
/** The header of a tunnel's upgrade that says which process it is for. */
export const tunnelProcessHeader = "coracle-process";
/** The header of a `CONNECT` (RFC 9113 §8.5) through a tunnel that says what to connect to: a `TunnelTarget` as JSON. */
export const tunnelTargetHeader = "coracle-target";
const port = z.number().int().min(1).max(65535);

/** Everything is seen as one cluster of the node's pool sees it. */
export const tunnelTarget = z.discriminatedUnion("kind", [
  /** The node's own HTTP server: kubelet's paths (`agent/streams/node-server.ts`). */
  z.object({ kind: z.literal("node"), cluster: name }),
  /** A port at the address of a pod. */
  z.object({ kind: z.literal("pod"), cluster: name, podUid: z.string().min(1).max(253), port }),
  /** A port at the machine's own address. */
  z.object({ kind: z.literal("machine"), cluster: name, port }),
]);
export type TunnelTarget = z.infer<typeof tunnelTarget>;

/** A request the agent answers by `POST streams/{id}`. One of a kind it does not know is answered with a 501 problem. */
export const pendingStream = z.looseObject({ id: z.string().min(1), kind: z.string() });

/** Another machine of the pool, and the addresses of its pods. */
export const podPeer = z.object({ nodeName: name, internalIps: z.array(z.string()), podCidr: z.string() });
export type PodPeer = z.infer<typeof podPeer>;

export const peerNews = z.object({
  /** Opaque; say it in the next call. */
  mark: z.string(),
  /** The whole state: peers that are not named here are gone. */
  full: z.boolean(),
  /** The range that the pool gives this node; where its pods have another one, other machines do not reach them. */
  podCidr: z.string().exactOptional(),
  peers: z.array(podPeer),
  /** Ranges of peers that are gone. */
  removed: z.array(z.string()),
});
export type PeerNews = z.infer<typeof peerNews>;

export const syncResponse = z.object({
  /** Clusters that have news. One that is neither here nor in `clusterIds` no longer draws on the pool: its pods end. */
  news: z.array(clusterNews),
  /** Every cluster of the pool; absent when the call asked for no news. */
  clusterIds: z.array(z.string()).exactOptional(),
  /** Absent: as the mark says. */
  peers: peerNews.exactOptional(),
  /** Uids whose status or end could not be written for now: send them again. */
  retry: z.array(z.string()),
  tokens: z.array(
    z.object({
      cluster: name,
      podUid: z.string(),
      audience: z.string(),
      expirationSeconds: z.number(),
      /** Absent when refused; `message` says why. */
      token: z.string().exactOptional(),
      /** RFC 3339. */
      expiresAt: z.string().exactOptional(),
      message: z.string().exactOptional(),
    }),
  ),
  streams: z.array(pendingStream),
  /** The server does not know this node's description (any more): send it in the next call. */
  sendNode: z.boolean(),
  /** Opaque; say it in the next call. */
  state: z.string().exactOptional(),
  /** How long to wait before the next call for news. */
  nextSyncSeconds: z.number().nonnegative(),
});
export type SyncResponse = z.infer<typeof syncResponse>;
export type TokenAnswer = SyncResponse["tokens"][number];

/** Many nodes in one call. It is held until one of them has news. */
export const syncBatchRequest = z.object({
  waitSeconds: z.number().min(0).max(agentLimits.waitSeconds).default(0),
  calls: z
    .array(z.object({ credential: z.string().min(1), sync: syncRequest }))
    .min(1)
    .max(agentLimits.batch),
});

export const problem = z.object({ type: z.string(), title: z.string(), status: z.number(), detail: z.string().exactOptional() });
export type Problem = z.infer<typeof problem>;

export const certificateRequest = z.object({
  /** A fresh key of the node's, EC P-256 (SubjectPublicKeyInfo). Its private half never leaves the node. */
  publicKeyPem: z.string().max(1024),
});

/** 404: pods reach the server itself under the cluster's names, and the node just passes their connections on. */
export const certificateResponse = z.object({
  /** Of the cluster API, without a path. */
  url: z.url(),
  certificatePem: z.string(),
  expiresAtMs: z.number(),
});
export type CertificateResponse = z.infer<typeof certificateResponse>;

/** In the order of the calls. */
export const syncBatchResponse = z.object({
  answers: z.array(
    z.union([z.object({ kind: z.literal("answer"), answer: syncResponse }), z.object({ kind: z.literal("problem"), problem })]),
  ),
});
