import type { Container, EphemeralContainer, PersistentVolume, Pod } from "./types.ts";

interface Named {
  readonly name?: string;
}

const containersOf = ({ spec }: Pod): readonly (Container | EphemeralContainer)[] => [
  ...(spec?.initContainers ?? []),
  ...(spec?.containers ?? []),
  ...(spec?.ephemeralContainers ?? []),
];

const present = (names: Iterable<string | undefined>): Set<string> =>
  new Set([...names].filter((name) => name !== undefined && name !== "") as string[]);

/** The Secrets that a pod names, wherever it can (pkg/api/v1/pod `VisitPodSecretNames`). */
export function secretNamesOf(pod: Pod): ReadonlySet<string> {
  const { imagePullSecrets = [], volumes = [] } = pod.spec ?? {};
  return present([
    ...imagePullSecrets.map(({ name }) => name),
    ...volumes.flatMap(({ secret, azureFile, csi, projected, ...volume }) => [
      secret?.secretName,
      azureFile?.secretName,
      csi?.nodePublishSecretRef?.name,
      ...(projected?.sources ?? []).map((source) => source.secret?.name),
      ...[volume.cephfs, volume.cinder, volume.flexVolume, volume.iscsi, volume.rbd, volume.scaleIO, volume.storageos].map(
        (source: { readonly secretRef?: Named } | undefined) => source?.secretRef?.name,
      ),
    ]),
    ...containersOf(pod).flatMap(({ env = [], envFrom = [] }) => [
      ...env.map(({ valueFrom }) => valueFrom?.secretKeyRef?.name),
      ...envFrom.map(({ secretRef }) => secretRef?.name),
    ]),
  ]);
}

/** The ConfigMaps that a pod names (`VisitPodConfigmapNames`). */
export function configMapNamesOf(pod: Pod): ReadonlySet<string> {
  return present([
    ...(pod.spec?.volumes ?? []).flatMap(({ configMap, projected }) => [
      configMap?.name,
      ...(projected?.sources ?? []).map((source) => source.configMap?.name),
    ]),
    ...containersOf(pod).flatMap(({ env = [], envFrom = [] }) => [
      ...env.map(({ valueFrom }) => valueFrom?.configMapKeyRef?.name),
      ...envFrom.map(({ configMapRef }) => configMapRef?.name),
    ]),
  ]);
}

/** The claims that a pod mounts, those that are made for it included. */
export function claimNamesOf({ spec, metadata }: Pod): ReadonlySet<string> {
  return present(
    (spec?.volumes ?? []).map(({ name, persistentVolumeClaim, ephemeral }) =>
      ephemeral ? `${metadata.name ?? ""}-${name}` : persistentVolumeClaim?.claimName,
    ),
  );
}

/** Whether a volume needs a Secret on the node that mounts it (pkg/api/v1/persistentvolume `VisitPVSecretNames`). */
export function volumeNamesSecret({ spec }: PersistentVolume, namespace: string, name: string): boolean {
  const home = spec?.claimRef?.namespace ?? "";
  const { azureFile, csi, cephfs, flexVolume, iscsi, rbd, scaleIO, storageos, cinder } = spec ?? {};
  const references: ({ name?: string; namespace?: string } | undefined)[] = [
    azureFile && { name: azureFile.secretName, ...(azureFile.secretNamespace && { namespace: azureFile.secretNamespace }) },
    csi?.nodePublishSecretRef,
    csi?.nodeStageSecretRef,
    csi?.nodeExpandSecretRef,
    ...[cephfs, flexVolume, iscsi, rbd, scaleIO, storageos, cinder].map((source) => source?.secretRef),
  ];
  return references.some((reference) => reference?.name === name && (reference.namespace || home) === namespace);
}
