import { portNameProblems } from "../../names.ts";
import type { StatusCause } from "../../status-error.ts";
import type { Container, ContainerPort, EphemeralContainer, PodSpec, VolumeDevice, VolumeMount } from "../../types.ts";
import { duplicate, forbidden, invalid, notFound, notSupported, required } from "../field-error.ts";
import { checkDescendingPath, checkDnsLabel, checkOneOf, checkPortNumber, checkSupported, invalidEach } from "./checks.ts";
import { checkEnvironment, checkEnvironmentFrom } from "./environment.ts";
import { checkLifecycle, checkLivenessProbe, checkReadinessProbe } from "./probes.ts";
import { checkResourceRequirements } from "./resources.ts";
import { checkSecurityContext } from "./security-context.ts";
import type { VolumeMap } from "./volumes.ts";

/** What the containers of a pod must agree with. */
export interface PodContext {
  readonly spec: PodSpec;
  readonly volumes: VolumeMap;
}

export function checkContainers(context: PodContext, path: string): StatusCause[] {
  const containers = context.spec.containers ?? [];
  if (containers.length === 0) return [required(path)];
  const names = new Set<string>();
  const causes: StatusCause[] = [];
  containers.forEach((container, index) => {
    const at = `${path}[${index}]`;
    causes.push(...checkContainer(container, context, at));
    if (names.has(container.name)) causes.push(duplicate(`${at}.name`, container.name));
    names.add(container.name);
    causes.push(...checkLifeOf(container, context, at));
    if (container.restartPolicy !== undefined) causes.push(forbidden(`${at}.restartPolicy`, "may not be set for non-init containers"));
  });
  return [...causes, ...checkHostPortConflicts(containers, path)];
}

export function checkInitContainers(context: PodContext, path: string): StatusCause[] {
  const names = new Set((context.spec.containers ?? []).map((container) => container.name));
  const causes: StatusCause[] = [];
  (context.spec.initContainers ?? []).forEach((container, index) => {
    const at = `${path}[${index}]`;
    const { name, restartPolicy } = container;
    causes.push(...checkContainer(container, context, at));
    causes.push(...checkSupported(restartPolicy, ["Always"], `${at}.restartPolicy`));
    if (names.has(name)) causes.push(duplicate(`${at}.name`, name));
    else if (name !== "") names.add(name);
    causes.push(...checkHostPortConflicts([container], path));
    if (restartPolicy === "Always") causes.push(...checkLifeOf(container, context, at));
    else {
      for (const field of ["lifecycle", "livenessProbe", "readinessProbe", "startupProbe"] as const) {
        if (container[field] !== undefined)
          causes.push(forbidden(`${at}.${field}`, "may not be set for init containers without restartPolicy=Always"));
      }
    }
  });
  return causes;
}

export function checkEphemeralContainers(context: PodContext, path: string): StatusCause[] {
  const others = new Set([...(context.spec.containers ?? []), ...(context.spec.initContainers ?? [])].map((container) => container.name));
  const names = new Set(others);
  const refused = [
    ...(["ports", "resources", "resizePolicy", "restartPolicy"] as const),
    ...(["livenessProbe", "readinessProbe", "startupProbe", "lifecycle"] as const),
  ];
  return (context.spec.ephemeralContainers ?? []).flatMap((container, index) => {
    const at = `${path}[${index}]`;
    const causes = [...checkContainer(container, context, at), ...checkImageText(container, at)];
    if (names.has(container.name)) causes.push(duplicate(`${at}.name`, container.name));
    names.add(container.name);
    const target = container.targetContainerName ?? "";
    if (target !== "" && !others.has(target)) causes.push(notFound(`${at}.targetContainerName`, target));
    for (const field of refused) {
      const isSet = field === "resources" ? Object.keys(container.resources ?? {}).length > 0 : container[field] !== undefined;
      if (isSet) causes.push(forbidden(`${at}.${field}`, "cannot be set for an Ephemeral Container"));
    }
    (container.volumeMounts ?? []).forEach((mount, number) => {
      for (const field of ["subPath", "subPathExpr"] as const) {
        if (mount[field] !== undefined)
          causes.push(forbidden(`${at}.volumeMounts[${number}].${field}`, "cannot be set for an Ephemeral Container"));
      }
    });
    return causes;
  });
}

/** Rules that hold for pods but not for pod templates. */
export function checkImageText({ image = "" }: Pick<Container, "image">, path: string): StatusCause[] {
  return image.trim() === image ? [] : [invalid(`${path}.image`, image, "must not have leading or trailing whitespace")];
}

function checkLifeOf(container: Container, { spec }: PodContext, path: string): StatusCause[] {
  const { lifecycle, livenessProbe, readinessProbe, startupProbe } = container;
  return [
    ...(lifecycle === undefined ? [] : checkLifecycle(lifecycle, spec.terminationGracePeriodSeconds, `${path}.lifecycle`)),
    ...checkLivenessProbe(livenessProbe, `${path}.livenessProbe`),
    ...checkReadinessProbe(readinessProbe, `${path}.readinessProbe`),
    ...checkLivenessProbe(startupProbe, `${path}.startupProbe`),
  ];
}

function checkContainer(container: Container | EphemeralContainer, { spec, volumes }: PodContext, path: string): StatusCause[] {
  const { volumeMounts = [], volumeDevices = [] } = container;
  const claims = (spec.resourceClaims ?? []).map((claim) => claim.name).filter((name) => name !== "");
  return [
    ...(container.name === "" ? [required(`${path}.name`)] : checkDnsLabel(container.name, `${path}.name`)),
    ...((container.image ?? "") === "" ? [required(`${path}.image`)] : []),
    ...checkOneOf(container.terminationMessagePolicy, ["File", "FallbackToLogsOnError"], `${path}.terminationMessagePolicy`),
    ...checkPorts(container.ports ?? [], `${path}.ports`),
    ...checkEnvironment(container.env ?? [], `${path}.env`),
    ...checkEnvironmentFrom(container.envFrom ?? [], `${path}.envFrom`),
    ...checkMounts(volumeMounts, volumeDevices, volumes, container, `${path}.volumeMounts`),
    ...checkDevices(volumeDevices, volumeMounts, volumes, `${path}.volumeDevices`),
    ...checkOneOf(container.imagePullPolicy, ["Always", "IfNotPresent", "Never"], `${path}.imagePullPolicy`),
    ...checkResourceRequirements(container.resources ?? {}, `${path}.resources`, claims),
    ...checkResizePolicy(container, spec, `${path}.resizePolicy`),
    ...checkSecurityContext(container.securityContext, spec.hostUsers !== false, `${path}.securityContext`),
  ];
}

function checkPorts(ports: readonly ContainerPort[], path: string): StatusCause[] {
  const names = new Set<string>();
  return ports.flatMap(({ name = "", containerPort, hostPort, protocol }, index) => {
    const at = `${path}[${index}]`;
    const causes = name === "" ? [] : invalidEach(`${at}.name`, name, portNameProblems(name));
    if (name !== "" && causes.length === 0) {
      if (names.has(name)) causes.push(duplicate(`${at}.name`, name));
      names.add(name);
    }
    causes.push(...(containerPort === 0 ? [required(`${at}.containerPort`)] : checkPortNumber(containerPort, `${at}.containerPort`)));
    if (hostPort !== undefined) causes.push(...checkPortNumber(hostPort, `${at}.hostPort`));
    return [...causes, ...checkOneOf(protocol, ["SCTP", "TCP", "UDP"], `${at}.protocol`)];
  });
}

function checkHostPortConflicts(containers: readonly Container[], path: string): StatusCause[] {
  const taken = new Set<string>();
  return containers.flatMap((container, index) =>
    (container.ports ?? []).flatMap(({ protocol = "", hostIP = "", hostPort = 0 }, number) => {
      if (hostPort === 0) return [];
      const key = `${protocol}/${hostIP}/${hostPort}`;
      if (taken.has(key)) return [duplicate(`${path}[${index}].ports[${number}].hostPort`, key)];
      taken.add(key);
      return [];
    }),
  );
}

function checkMounts(
  mounts: readonly VolumeMount[],
  devices: readonly VolumeDevice[],
  volumes: VolumeMap,
  container: Container | EphemeralContainer,
  path: string,
): StatusCause[] {
  const taken = new Set<string>();
  const lastPaths = new Set(new Map(devices.map((device) => [device.name, device.devicePath])).values());
  return mounts.flatMap((mount, index) => {
    const at = `${path}[${index}]`;
    const { name, mountPath, subPath = "", subPathExpr = "" } = mount;
    const causes = name === "" ? [required(`${at}.name`)] : [];
    if (!volumes.has(name)) causes.push(notFound(`${at}.name`, name));
    if (mountPath === "") causes.push(required(`${at}.mountPath`));
    if (taken.has(mountPath)) causes.push(invalid(`${at}.mountPath`, mountPath, "must be unique"));
    taken.add(mountPath);
    if (devices.some((device) => device.name === name)) causes.push(invalid(`${at}.name`, name, "must not already exist in volumeDevices"));
    if (lastPaths.has(mountPath)) {
      causes.push(invalid(`${at}.mountPath`, mountPath, "must not already exist as a path in volumeDevices"));
    }
    if (subPath !== "") causes.push(...checkDescendingPath(subPath, `${path}.subPath`));
    if (subPathExpr !== "") {
      if (subPath !== "") causes.push(invalid(`${at}.subPathExpr`, subPathExpr, "subPathExpr and subPath are mutually exclusive"));
      causes.push(...checkDescendingPath(subPathExpr, `${path}.subPathExpr`));
    }
    return [...causes, ...checkPropagation(mount, container.securityContext?.privileged === true, path)];
  });
}

function checkPropagation(
  { mountPropagation, recursiveReadOnly, readOnly }: VolumeMount,
  privileged: boolean,
  path: string,
): StatusCause[] {
  const causes = checkSupported(mountPropagation, ["Bidirectional", "HostToContainer", "None"], `${path}.mountPropagation`);
  if (mountPropagation === "Bidirectional" && !privileged) {
    causes.push(forbidden(`${path}.mountPropagation`, "Bidirectional mount propagation is available only to privileged containers"));
  }
  if (recursiveReadOnly === undefined || recursiveReadOnly === "Disabled") return causes;
  const at = `${path}.recursiveReadOnly`;
  if (recursiveReadOnly !== "Enabled" && recursiveReadOnly !== "IfPossible") {
    return [...causes, notSupported(at, recursiveReadOnly, ["Disabled", "Enabled", "IfPossible"])];
  }
  if (readOnly !== true) causes.push(forbidden(at, "may only be specified when readOnly is true"));
  if (mountPropagation !== undefined && mountPropagation !== "None") {
    causes.push(forbidden(at, "may only be specified when mountPropagation is None or not specified"));
  }
  return causes;
}

function checkDevices(devices: readonly VolumeDevice[], mounts: readonly VolumeMount[], volumes: VolumeMap, path: string): StatusCause[] {
  const names = new Set<string>();
  const paths = new Set<string>();
  const lastPaths = new Set(new Map(mounts.map((mount) => [mount.name, mount.mountPath])).values());
  return devices.flatMap(({ name, devicePath }, index) => {
    const at = `${path}[${index}]`;
    const volume = volumes.get(name);
    const causes = name === "" ? [required(`${at}.name`)] : [];
    if (names.has(name)) causes.push(invalid(`${at}.name`, name, "must be unique"));
    if (volume === undefined) causes.push(notFound(`${at}.name`, name));
    else if (volume.persistentVolumeClaim === undefined && volume.ephemeral === undefined) {
      causes.push(invalid(`${at}.name`, name, "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode"));
    }
    if (devicePath === "") causes.push(required(`${at}.devicePath`));
    if (paths.has(devicePath)) causes.push(invalid(`${at}.devicePath`, devicePath, "must be unique"));
    if (devicePath.split("/").includes("..")) causes.push(invalid(`${at}.devicePath`, devicePath, "can not contain backsteps ('..')"));
    else paths.add(devicePath);
    if (mounts.some((mount) => mount.name === name)) causes.push(invalid(`${at}.name`, name, "must not already exist in volumeMounts"));
    if (lastPaths.has(devicePath)) {
      causes.push(invalid(`${at}.devicePath`, devicePath, "must not already exist as a path in volumeMounts"));
    }
    if (name !== "") names.add(name);
    return causes;
  });
}

function checkResizePolicy(container: Container | EphemeralContainer, spec: PodSpec, path: string): StatusCause[] {
  const seen = new Set<string>();
  return (container.resizePolicy ?? []).flatMap(({ resourceName, restartPolicy }, index) => {
    // `core.ResourceName` is a Stringer: it is printed without quotes.
    const causes = seen.has(resourceName) ? [duplicate(`${path}[${index}]`, { go: resourceName })] : [];
    seen.add(resourceName);
    if (resourceName === "") causes.push(required(path));
    else if (resourceName !== "cpu" && resourceName !== "memory") causes.push(notSupported(path, { go: resourceName }, ["cpu", "memory"]));
    causes.push(...checkOneOf(restartPolicy, ["NotRequired", "RestartContainer"], path));
    if (spec.restartPolicy === "Never" && restartPolicy !== "NotRequired") {
      causes.push(invalid(path, restartPolicy, "must be 'NotRequired' when `restartPolicy` is 'Never'"));
    }
    return causes;
  });
}
