import { formatQuantity, parseQuantity } from "../../quantity.ts";
import type {
  ConfigMapVolumeSource,
  Container,
  DownwardAPIVolumeSource,
  EphemeralContainer,
  HostPathVolumeSource,
  HTTPGetAction,
  ObjectFieldSelector,
  Pod,
  PodSpec,
  Probe,
  ProjectedVolumeSource,
  SecretVolumeSource,
  ServiceAccountTokenProjection,
  Volume,
} from "../../types.ts";
import { type DefaultRule, rule } from "./rule.ts";

const core = "io.k8s.api.core.v1.";
const fileMode = 0o644;

/** `SetDefaults_*` of pkg/apis/core/v1/defaults.go for everything in a pod. `SetDefaults_Pod` is for pods alone, not for templates. */
export const podDefaults: readonly DefaultRule[] = [
  rule<Pod>(`${core}Pod`, (pod) => {
    const { spec } = pod;
    if (spec === undefined) return;
    for (const container of [...(spec.containers ?? []), ...(spec.initContainers ?? [])]) requestsFromLimits(container);
    spec.enableServiceLinks ??= true;
    if ((spec.terminationGracePeriodSeconds ?? 0) < 0) spec.terminationGracePeriodSeconds = 1;
    if (spec.hostNetwork === true)
      for (const container of [...(spec.containers ?? []), ...(spec.initContainers ?? [])]) hostPorts(container);
  }),
  rule<PodSpec>(`${core}PodSpec`, (spec) => {
    spec.dnsPolicy ??= "ClusterFirst";
    spec.restartPolicy ??= "Always";
    spec.securityContext ??= {};
    spec.terminationGracePeriodSeconds ??= 30;
    spec.schedulerName ??= "default-scheduler";
    mirrorServiceAccount(spec);
  }),
  rule<Volume>(`${core}Volume`, (volume) => {
    if (Object.keys(volume).every((key) => key === "name")) volume.emptyDir = {};
  }),
  rule<Container>(`${core}Container`, containerDefaults),
  rule<EphemeralContainer>(`${core}EphemeralContainer`, containerDefaults),
  rule<Probe>(`${core}Probe`, (probe) => {
    probe.timeoutSeconds ??= 1;
    probe.periodSeconds ??= 10;
    probe.successThreshold ??= 1;
    probe.failureThreshold ??= 3;
  }),
  rule<HTTPGetAction>(`${core}HTTPGetAction`, (action) => {
    action.path ??= "/";
    action.scheme ??= "HTTP";
  }),
  rule<SecretVolumeSource>(`${core}SecretVolumeSource`, defaultMode),
  rule<ConfigMapVolumeSource>(`${core}ConfigMapVolumeSource`, defaultMode),
  rule<DownwardAPIVolumeSource>(`${core}DownwardAPIVolumeSource`, defaultMode),
  rule<ProjectedVolumeSource>(`${core}ProjectedVolumeSource`, defaultMode),
  rule<ServiceAccountTokenProjection>(`${core}ServiceAccountTokenProjection`, (projection) => {
    projection.expirationSeconds ??= 3600;
  }),
  rule<HostPathVolumeSource>(`${core}HostPathVolumeSource`, (source) => {
    source.type ??= "";
  }),
  rule<ObjectFieldSelector>(`${core}ObjectFieldSelector`, (selector) => {
    selector.apiVersion ??= "v1";
  }),
  rule<Record<string, string>>("v1.ResourceList", (list) => {
    for (const name in list) list[name] = roundedUpToMilli(list[name] ?? "0");
  }),
];

function requestsFromLimits(container: Container): void {
  const limits = container.resources?.limits;
  if (container.resources === undefined || limits === undefined) return;
  container.resources.requests ??= {};
  for (const name in limits) container.resources.requests[name] ??= limits[name] ?? "0";
}

function hostPorts(container: Container): void {
  for (const port of container.ports ?? []) if (port.containerPort !== 0) port.hostPort ??= port.containerPort;
}

/** The deprecated alias follows `serviceAccountName` (pkg/apis/core/v1/conversion.go `Convert_core_PodSpec_To_v1_PodSpec`). */
function mirrorServiceAccount(spec: PodSpec): void {
  const name = spec.serviceAccountName ?? spec.serviceAccount;
  if (name === undefined) return;
  spec.serviceAccountName = name;
  spec.serviceAccount = name;
}

function containerDefaults(container: Container | EphemeralContainer): void {
  container.imagePullPolicy ??= tagOf(container.image ?? "") === "latest" ? "Always" : "IfNotPresent";
  container.terminationMessagePath ??= "/dev/termination-log";
  container.terminationMessagePolicy ??= "File";
}

function defaultMode(source: { defaultMode?: number }): void {
  source.defaultMode ??= fileMode;
}

const imageReference =
  /^(?:(?:[a-zA-Z0-9][a-zA-Z0-9.-]*|\[[a-fA-F0-9:]+\])(?::\d+)?\/)?[a-z0-9]+(?:[._/-]+[a-z0-9]+)*(?::([\w][\w.-]{0,127}))?(@[a-z0-9+._-]+:[0-9a-fA-F]{32,})?$/;

/** The tag of an image, `latest` when it names neither tag nor digest, empty when it is no image reference (pkg/util/parsers). */
export function tagOf(image: string): string {
  const match = imageReference.exec(image);
  if (match === null || repositoryLength(image, match[1], match[2]) > maximumRepositoryLength) return "";
  return match[1] ?? (match[2] === undefined ? "latest" : "");
}

const maximumRepositoryLength = 255;

function repositoryLength(image: string, tag: string | undefined, digest: string | undefined): number {
  const library = image.includes("/") ? 0 : "library/".length;
  return image.length - (tag === undefined ? 0 : tag.length + 1) - (digest?.length ?? 0) + library;
}

/** `SetDefaults_ResourceList`: amounts finer than a thousandth are rounded up. */
function roundedUpToMilli(text: string | number): string {
  const quantity = String(text);
  if (!/[nu]$|\.\d{4}|e-/i.test(quantity)) return quantity;
  return formatQuantity(parseQuantity(`${Math.ceil(Number(milliOf(quantity)))}m`));
}

function milliOf(quantity: string): number {
  if (quantity.endsWith("n")) return Number(quantity.slice(0, -1)) / 1e6;
  if (quantity.endsWith("u")) return Number(quantity.slice(0, -1)) / 1e3;
  return Number(quantity) * 1e3;
}
