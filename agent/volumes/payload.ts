import type { ConfigMap, Container, DownwardAPIVolumeFile, KeyToPath, Pod, Secret, Volume } from "../../shared/kubernetes/types.ts";
import { type PodPlace, podField, resourceField } from "../pod/pod-fields.ts";

/** A volume cannot be set up now; the message is what `FailedMount` says after the volume's name. */
export class VolumeError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "VolumeError";
  }
}

/** Files of a volume by relative path. */
export type Payload = ReadonlyMap<string, { readonly content: Buffer; readonly mode: number }>;

export interface PayloadInput {
  readonly pod: Pod;
  readonly place: PodPlace;
  readonly configMap: (name: string) => ConfigMap | undefined;
  readonly secret: (name: string) => Secret | undefined;
  readonly token: (audience: string, expirationSeconds: number) => Promise<string>;
}

const defaultMode = 0o644;

/**
 * What a configMap, secret, downwardAPI or projected volume holds; `undefined` for any other kind.
 * @throws VolumeError when something that is not optional is missing.
 */
export async function volumePayload(volume: Volume, input: PayloadInput): Promise<Payload | undefined> {
  const files = new Map<string, { content: Buffer; mode: number }>();
  const put = (path: string, content: Buffer, mode: number): void => {
    files.set(safeRelative(path), { content, mode });
  };
  if (volume.configMap !== undefined) {
    const { name = "", items, optional, defaultMode: mode = defaultMode } = volume.configMap;
    putKeys(put, configMapData(input, name, optional), items, mode, optional === true, "config");
  } else if (volume.secret !== undefined) {
    const { secretName = "", items, optional, defaultMode: mode = defaultMode } = volume.secret;
    putKeys(put, secretData(input, secretName, optional), items, mode, optional === true, "secret");
  } else if (volume.downwardAPI !== undefined) {
    putFields(put, input, volume.downwardAPI.items, volume.downwardAPI.defaultMode ?? defaultMode);
  } else if (volume.projected !== undefined) {
    const mode = volume.projected.defaultMode ?? defaultMode;
    for (const { configMap, secret, downwardAPI, serviceAccountToken, clusterTrustBundle } of volume.projected.sources ?? []) {
      if (configMap !== undefined) {
        putKeys(
          put,
          configMapData(input, configMap.name ?? "", configMap.optional),
          configMap.items,
          mode,
          configMap.optional === true,
          "config",
        );
      }
      if (secret !== undefined) {
        putKeys(put, secretData(input, secret.name ?? "", secret.optional), secret.items, mode, secret.optional === true, "secret");
      }
      if (downwardAPI !== undefined) putFields(put, input, downwardAPI.items, mode);
      if (serviceAccountToken !== undefined) {
        const { audience = "", expirationSeconds = 3600, path } = serviceAccountToken;
        put(path, Buffer.from(await input.token(audience, expirationSeconds)), tokenMode(input.pod, mode));
      }
      if (clusterTrustBundle !== undefined) throw new VolumeError("clusterTrustBundle projections are not supported by this node");
    }
  } else return undefined;
  return files;
}

/** A pod with an fsGroup shares its token with that group alone (kubelet `projected.go`). */
function tokenMode({ spec }: Pod, mode: number): number {
  return spec?.securityContext?.fsGroup === undefined ? mode : 0o640;
}

function configMapData({ configMap }: PayloadInput, name: string, optional: boolean | undefined): Map<string, Buffer> {
  const found = configMap(name);
  if (found === undefined && optional !== true) throw new VolumeError(`configmap "${name}" not found`);
  const text = Object.entries(found?.data ?? {}).map(([key, value]) => [key, Buffer.from(value)] as const);
  const binary = Object.entries(found?.binaryData ?? {}).map(([key, value]) => [key, Buffer.from(value, "base64")] as const);
  return new Map([...text, ...binary]);
}

function secretData({ secret }: PayloadInput, name: string, optional: boolean | undefined): Map<string, Buffer> {
  const found = secret(name);
  if (found === undefined && optional !== true) throw new VolumeError(`secret "${name}" not found`);
  return new Map(Object.entries(found?.data ?? {}).map(([key, value]) => [key, Buffer.from(value, "base64")]));
}

function putKeys(
  put: (path: string, content: Buffer, mode: number) => void,
  data: ReadonlyMap<string, Buffer>,
  items: readonly KeyToPath[] | undefined,
  mode: number,
  optional: boolean,
  what: "config" | "secret",
): void {
  if (items === undefined || items.length === 0) {
    for (const [key, content] of data) put(key, content, mode);
    return;
  }
  for (const item of items) {
    const content = data.get(item.key);
    if (content !== undefined) put(item.path, content, item.mode ?? mode);
    else if (!optional) throw new VolumeError(`references non-existent ${what} key: ${item.key}`);
  }
}

function putFields(
  put: (path: string, content: Buffer, mode: number) => void,
  { pod, place }: PayloadInput,
  items: readonly DownwardAPIVolumeFile[] | undefined,
  mode: number,
): void {
  for (const { path, fieldRef, resourceFieldRef, mode: own } of items ?? []) {
    const containers: Container[] = pod.spec?.containers ?? [];
    const [first] = containers;
    const value =
      fieldRef !== undefined
        ? podField(pod, place, fieldRef.fieldPath)
        : resourceFieldRef !== undefined && first !== undefined
          ? resourceField(pod, first, place, resourceFieldRef)
          : undefined;
    if (value === undefined) throw new VolumeError(`cannot resolve downward API item ${path}`);
    put(path, Buffer.from(value), own ?? mode);
  }
}

/** A path that stays inside its volume. */
export function safeRelative(path: string): string {
  const parts = path.split("/").filter((part) => part !== "" && part !== ".");
  if (path.startsWith("/") || parts.length === 0 || parts.includes("..")) throw new VolumeError(`invalid path: ${path}`);
  return parts.join("/");
}
