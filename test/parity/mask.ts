/** What differs from run to run is masked by the name of its field, in answers as it was in the recording. */
const masked = new Set([
  ...["uid", "resourceVersion", "creationTimestamp", "deletionTimestamp", "time", "lastTransitionTime", "lastUpdateTime"],
  ...["lastProbeTime", "expirationTimestamp", "token", "continue", "remainingItemCount", "renewTime", "acquireTime"],
  ...["lastTimestamp", "firstTimestamp", "startTime", "caBundle", "storageVersionHash"],
]);

/** Controllers write the status of these on their own time. */
const controlled: ReadonlySet<unknown> = new Set([
  "Deployment",
  "ReplicaSet",
  "ReplicationController",
  "StatefulSet",
  "DaemonSet",
  "Job",
  "CronJob",
]);

const uid = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;

/** The answer as the recording would hold it. `key` is the field that `value` is in. */
export function mask(value: unknown, namespace: string, key = ""): unknown {
  if (typeof value === "string") return maskText(value, namespace, key);
  if (typeof value === "number" && masked.has(key)) return `<${key}>`;
  if (Array.isArray(value)) {
    const kept =
      key === "managedFields"
        ? value.filter((entry: { manager?: unknown } | null) => !/controller/.test(String(entry?.manager ?? "")))
        : value;
    return kept.map((part: unknown) => mask(part, namespace, key === "clusterIPs" ? "clusterIP" : key));
  }
  if (!isRecord(value)) return value;
  const entries = Object.entries(withoutControlled(value)).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([name, part]) => [name, mask(part, namespace, name)]));
}

function maskText(text: string, namespace: string, key: string): string {
  if (masked.has(key) && text !== "") return `<${key}>`;
  if (key === "clusterIP" && /^\d+\./.test(text)) return "<ip>";
  return text
    .replaceAll(namespace, "{ns}")
    .replace(uid, "<uid>")
    .replace(/\b10\.\d+\.\d+\.\d+\b/g, "<ip>")
    .replace(/\bkube-api-access-[a-z0-9]{5}\b/g, "kube-api-access-<suffix>")
    .replace(/^\d+(ms|s|m|y(\d+d)?)$/, "<age>")
    .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, "<time>");
}

function withoutControlled(object: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  if (!controlled.has(object.kind)) return object;
  const { status: _, metadata, ...rest } = object;
  if (!isRecord(metadata) || !isRecord(metadata.annotations)) return { ...rest, ...(metadata !== undefined && { metadata }) };
  const { "deployment.kubernetes.io/revision": _revision, ...annotations } = metadata.annotations;
  const { annotations: _annotations, ...others } = metadata;
  return { ...rest, metadata: Object.keys(annotations).length > 0 ? { ...others, annotations } : others };
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
