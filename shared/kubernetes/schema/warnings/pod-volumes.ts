import { formatQuantity, parseQuantity } from "../../quantity.ts";
import type { PersistentVolumeClaimSpec, Volume, VolumeProjection } from "../../types.ts";
import { goQuote } from "../go-text.ts";

const deprecatedDrivers = [
  ["photonPersistentDisk", "photonPersistentDisk", "deprecated in v1.11, non-functional in v1.16+"],
  ["gitRepo", "gitRepo", "deprecated in v1.11, and disabled by default in v1.33+"],
  ["scaleIO", "scaleIO", "deprecated in v1.16, non-functional in v1.22+"],
  ["flocker", "flocker", "deprecated in v1.22, non-functional in v1.25+"],
  ["storageos", "storageOS", "deprecated in v1.22, non-functional in v1.25+"],
  ["quobyte", "quobyte", "deprecated in v1.22, non-functional in v1.25+"],
  ["glusterfs", "glusterfs", "deprecated in v1.25, non-functional in v1.26+"],
  ["ephemeral", "", ""],
  ["cephfs", "cephfs", "deprecated in v1.28, non-functional in v1.31+"],
  ["rbd", "rbd", "deprecated in v1.28, non-functional in v1.31+"],
] as const;

/** What there is to say about a pod's volumes: drivers that are gone, files that hide each other. */
export function volumeWarnings(volumes: readonly Volume[], path: string): string[] {
  const warnings: string[] = [];
  volumes.forEach((volume, index) => {
    for (const [source, shown, text] of deprecatedDrivers) {
      if (volume[source] === undefined) continue;
      const at = `${path}[${index}]`;
      if (source !== "ephemeral") warnings.push(`${at}.${shown}: ${text}`);
      else warnings.push(...claimSpecWarnings(volume.ephemeral?.volumeClaimTemplate?.spec, `${at}.ephemeral.volumeClaimTemplate.spec`));
    }
  });
  return [...warnings, ...volumes.flatMap(overlapWarnings)];
}

export function claimSpecWarnings(spec: PersistentVolumeClaimSpec | undefined, path: string): string[] {
  return (["requests", "limits"] as const).flatMap((field) =>
    fractionWarnings(spec?.resources?.[field]?.storage, `${path}.resources.${field}[storage]`),
  );
}

export function fractionWarnings(amount: string | number | undefined, path: string): string[] {
  if (amount === undefined || /^\d+(?:[kMGTPE]i?)?$/.test(String(amount))) return [];
  const quantity = parseQuantity(amount);
  const text = formatQuantity(quantity);
  return /[mun]$/.test(text) ? [`${path}: fractional byte value ${goQuote(text)} is invalid, must be an integer`] : [];
}

interface SourcedPath {
  readonly path: string;
  readonly source: string;
}

function overlapWarnings({ name, configMap, secret, downwardAPI, projected }: Volume): string[] {
  const from = (description: string, items: readonly { path: string }[] | undefined): string[] =>
    overlaps((items ?? []).map(({ path }) => ({ path, source: "" }))).map(
      (text) => `volume ${goQuote(name)} (${description}): overlapping paths: ${text}`,
    );
  return [
    ...from(`ConfigMap ${goQuote(configMap?.name ?? "")}`, configMap?.items),
    ...from(`Secret ${goQuote(secret?.secretName ?? "")}`, secret?.items),
    ...from("DownwardAPI", downwardAPI?.items),
    ...(projected === undefined ? [] : projectedWarnings(name, projected.sources ?? [])),
  ];
}

function projectedWarnings(name: string, sources: readonly VolumeProjection[]): string[] {
  const empty = sources
    .filter((source) => Object.keys(source).length === 0)
    .map(() => `volume ${goQuote(name)} (Projected) has no sources provided`);
  // As in Kubernetes, a source that names no files is taken for the one before it.
  let last: readonly SourcedPath[] = [];
  const files = overlaps(
    sources
      .filter((source) => Object.keys(source).length > 0)
      .flatMap((source) => {
        last = projectedPaths(source) ?? last;
        return last;
      }),
  );
  return [...empty, ...files.map((text) => `volume ${goQuote(name)} (Projected): overlapping paths: ${text}`)];
}

function projectedPaths({
  configMap,
  secret,
  downwardAPI,
  serviceAccountToken,
  clusterTrustBundle,
}: VolumeProjection): SourcedPath[] | undefined {
  const of = (items: readonly { path: string }[], source: string) => items.map(({ path }) => ({ path, source }));
  if (configMap?.items) return of(configMap.items, `ConfigMap ${goQuote(configMap.name ?? "")}`);
  if (secret?.items) return of(secret.items, `Secret ${goQuote(secret.name ?? "")}`);
  if (downwardAPI?.items) return of(downwardAPI.items, "DownwardAPI");
  if (serviceAccountToken) return of([serviceAccountToken], "ServiceAccountToken");
  if (clusterTrustBundle === undefined) return undefined;
  return of([clusterTrustBundle], `ClusterTrustBundle ${goQuote(clusterTrustBundle.name ?? clusterTrustBundle.signerName ?? "")}`);
}

function overlaps(paths: readonly SourcedPath[]): string[] {
  const seen: SourcedPath[] = [];
  return paths.flatMap(({ path: given, source }) => {
    const path = given.replace(/\/+$/, "");
    const mine = { path, source };
    const hits = path === "" ? [] : seen.filter((other) => other.path !== "" && (isWithin(other.path, path) || isWithin(path, other.path)));
    seen.push(mine);
    return hits.map((other) => `${shown(mine)} with ${shown(other)}`);
  });
}

const isWithin = (inner: string, outer: string): boolean => `${inner}/`.startsWith(`${outer}/`);
const shown = ({ path, source }: SourcedPath): string => (source === "" ? goQuote(path) : `${goQuote(path)} (${source})`);
