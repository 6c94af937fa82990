import { chmod, chown, mkdir, readdir, realpath, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { parseQuantity } from "../../shared/kubernetes/quantity.ts";
import type { Container, Pod, Volume } from "../../shared/kubernetes/types.ts";
import { ContainerConfigError, expand } from "../environment.ts";
import type { ContainerSpec } from "../runtime.ts";
import { writeAtomically } from "./atomic-writer.ts";
import { ensureHostPath } from "./host-path.ts";
import { type PayloadInput, safeRelative, VolumeError, volumePayload } from "./payload.ts";
import type { Tmpfs } from "./tmpfs.ts";

/** A volume could not be set up: `volume` and the reason, as `FailedMount` tells them. */
export class MountError extends Error {
  constructor(volume: string, cause: unknown) {
    super(`MountVolume.SetUp failed for volume "${volume}" : ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    this.name = "MountError";
  }
}

export interface PodVolumesOptions {
  /** The pod's own directory; volumes lie in `volumes/NAME` below it. */
  readonly directory: string;
  readonly tmpfs: Tmpfs;
  /** Files may be given to another group (root). */
  readonly mayChown: boolean;
}

const volumeDirectory = (options: PodVolumesOptions, name: string): string => join(options.directory, "volumes", name);

/** Sets up every volume of the pod, or brings their content up to date: the same call does both. @throws MountError */
export async function setUpVolumes(pod: Pod, input: PayloadInput, options: PodVolumesOptions): Promise<void> {
  for (const volume of pod.spec?.volumes ?? []) {
    try {
      await setUpVolume(volume, pod, input, options);
    } catch (error) {
      throw new MountError(volume.name, error);
    }
  }
}

async function setUpVolume(volume: Volume, pod: Pod, input: PayloadInput, options: PodVolumesOptions): Promise<void> {
  if (volume.hostPath !== undefined) return ensureHostPath(volume.hostPath.path, volume.hostPath.type ?? "");
  const directory = volumeDirectory(options, volume.name);
  const group = options.mayChown ? pod.spec?.securityContext?.fsGroup : undefined;
  if (volume.emptyDir !== undefined) {
    if ((await stat(directory).catch(() => undefined)) !== undefined) return;
    await mkdir(directory, { recursive: true });
    if (volume.emptyDir.medium === "Memory") {
      const { sizeLimit } = volume.emptyDir;
      const sizeBytes = sizeLimit === undefined ? undefined : parseQuantity(sizeLimit).whole;
      await options.tmpfs.mount(directory, { sizeBytes: sizeBytes === 0 ? undefined : sizeBytes, mode: 0o777 });
    }
    if (group !== undefined) await chown(directory, -1, group);
    await chmod(directory, group === undefined ? 0o777 : 0o2777);
    return;
  }
  const payload = await volumePayload(volume, input);
  if (payload === undefined) {
    const kind = Object.keys(volume).find((key) => key !== "name") ?? "unknown";
    throw new VolumeError(`volumes of type ${kind} are not supported by this node`);
  }
  await mkdir(directory, { recursive: true });
  const secretive = volume.secret !== undefined || volume.projected !== undefined;
  if (secretive) await options.tmpfs.mount(directory, { sizeBytes: undefined, mode: 0o755 });
  await writeAtomically(directory, payload, group);
}

/** Removes the volumes and everything else in the pod's directory. Idempotent. */
export async function tearDownVolumes(options: PodVolumesOptions): Promise<void> {
  const volumes = await readdir(join(options.directory, "volumes")).catch(() => []);
  for (const name of volumes) await options.tmpfs.unmount(volumeDirectory(options, name));
  await rm(options.directory, { recursive: true, force: true });
}

/**
 * A container's mounts. A `subPath` is made when it is not there, and may not lead out of its volume.
 * @throws ContainerConfigError
 */
export async function containerMounts(
  pod: Pod,
  container: Container,
  environment: ReadonlyMap<string, string>,
  options: PodVolumesOptions,
): Promise<ContainerSpec["mounts"]> {
  const volumes = new Map((pod.spec?.volumes ?? []).map((volume) => [volume.name, volume]));
  const mounts: ContainerSpec["mounts"][number][] = [];
  for (const mount of container.volumeMounts ?? []) {
    const volume = volumes.get(mount.name);
    if (volume === undefined)
      throw new ContainerConfigError(`cannot find volume "${mount.name}" to mount into container "${container.name}"`);
    const root = volume.hostPath?.path ?? volumeDirectory(options, volume.name);
    const subPath = mount.subPathExpr === undefined ? mount.subPath : expand(mount.subPathExpr, (name) => environment.get(name));
    const readOnly =
      mount.readOnly === true ||
      volume.configMap !== undefined ||
      volume.secret !== undefined ||
      volume.projected !== undefined ||
      volume.downwardAPI !== undefined;
    mounts.push({
      hostPath: subPath === undefined || subPath === "" ? root : await subPathOf(root, subPath, container.name),
      containerPath: mount.mountPath.startsWith("/") ? mount.mountPath : `/${mount.mountPath}`,
      readOnly,
      propagation: mount.mountPropagation ?? "None",
    });
  }
  return mounts;
}

async function subPathOf(root: string, subPath: string, container: string): Promise<string> {
  try {
    const path = join(root, safeRelative(subPath));
    if ((await stat(path).catch(() => undefined)) === undefined) await mkdir(path, { recursive: true, mode: 0o755 });
    const [realRoot, real] = [await realpath(root), await realpath(path)];
    if (real !== realRoot && !real.startsWith(`${realRoot}/`))
      throw new VolumeError(`subpath "${subPath}" not within volume path "${root}"`);
    return real;
  } catch (error) {
    throw new ContainerConfigError(
      `failed to prepare subPath for volumeMount of container "${container}": ${error instanceof Error ? error.message : error}`,
    );
  }
}
