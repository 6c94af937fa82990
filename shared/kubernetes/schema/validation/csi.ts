import { labelSelectorProblems } from "../../label-selector.ts";
import { dnsSubdomainProblems } from "../../names.ts";
import type { StatusCause } from "../../status-error.ts";
import type { CSIDriver, CSINode, CSIStorageCapacity, TokenRequest, VolumeAttachment, VolumeError } from "../../types.ts";
import { duplicate, forbidden, invalid, notSupported, required, tooLong } from "../field-error.ts";
import { goLabelSelector } from "../go-text.ts";
import {
  checkDnsSubdomain,
  checkImmutable,
  checkNonnegative,
  checkQualifiedName,
  checkSupported,
  goLiteral,
  invalidEach,
} from "./checks.ts";
import { checkDriverName } from "./claims.ts";
import { immutableMessage, same } from "./object-meta.ts";
import { checkNonnegativeQuantity } from "./resources.ts";
import { checkInlineVolume } from "./volume-spec.ts";

const maximumNodeId = 256;
const minimumTokenSeconds = 600;
const maximumTokenSeconds = 2 ** 32;
const maximumAttachmentBytes = 256 * 1024;
const maximumErrorBytes = 1024;
const lifecycleModes = ["Persistent", "Ephemeral"];

export function validateCsiDriver({ spec }: CSIDriver): StatusCause[] {
  const period = spec?.nodeAllocatableUpdatePeriodSeconds;
  const causes: StatusCause[] = [];
  causes.push(...checkSupported(spec?.fsGroupPolicy, ["File", "None", "ReadWriteOnceWithFSType"], "spec.fsGroupPolicy"));
  causes.push(...checkTokenRequests(spec?.tokenRequests ?? [], "spec.tokenRequests"));
  for (const mode of spec?.volumeLifecycleModes ?? [])
    if (!lifecycleModes.includes(mode)) causes.push(notSupported("spec.volumeLifecycleModes", mode, lifecycleModes));
  if (period !== undefined && period < 10)
    causes.push(invalid("spec.nodeAllocatableUpdatePeriodSeconds", period, "must be greater than or equal to 10 seconds"));
  return causes;
}

export function validateCsiDriverUpdate(next: CSIDriver, live: CSIDriver): StatusCause[] {
  const modes = next.spec.volumeLifecycleModes ?? [];
  const printed = `[]storage.VolumeLifecycleMode{${modes.map((mode) => JSON.stringify(mode)).join(", ")}}`;
  return [
    ...validateCsiDriver(next),
    ...checkImmutable(next.spec.attachRequired, live.spec.attachRequired, "spec.attachedRequired"),
    ...checkImmutable(next.spec.volumeLifecycleModes, live.spec.volumeLifecycleModes, "spec.volumeLifecycleModes", printed),
  ];
}

function checkTokenRequests(requests: readonly TokenRequest[], path: string): StatusCause[] {
  const audiences = new Set<string>();
  return requests.flatMap(({ audience, expirationSeconds: seconds }, index) => {
    if (audiences.has(audience)) return [duplicate(`${path}[${index}].audience`, audience)];
    audiences.add(audience);
    const at = `${path}[${index}].expirationSeconds`;
    if (seconds === undefined) return [];
    if (seconds < minimumTokenSeconds) return [invalid(at, seconds, "may not specify a duration less than 10 minutes")];
    return seconds > maximumTokenSeconds ? [invalid(at, seconds, "may not specify a duration larger than 2^32 seconds")] : [];
  });
}

export function validateCsiNode({ spec }: CSINode): StatusCause[] {
  const drivers = spec?.drivers ?? [];
  return drivers.flatMap((driver, index) => {
    const at = `spec.drivers[${index}]`;
    const causes = checkDriverName(driver.name, `${at}.name`);
    if (driver.nodeID === "") causes.push(required(`${at}.nodeID`));
    if (driver.nodeID.length > maximumNodeId)
      causes.push(invalid(`${at}.nodeID`, driver.nodeID, `must be ${maximumNodeId} characters or less`));
    causes.push(...checkNonnegative(driver.allocatable?.count, `${at}.allocatable.count`));
    if (drivers.findIndex((other) => other.name === driver.name) < index) causes.push(duplicate(`${at}.name`, driver.name));
    const keys = driver.topologyKeys ?? [];
    keys.forEach((key, number) => {
      if (key === "") causes.push(required(at));
      if (keys.indexOf(key) < number) causes.push(duplicate(at, key));
      causes.push(...checkQualifiedName(key, at));
    });
    return causes;
  });
}

/** What a driver says of itself on a node stays. */
export function validateCsiNodeUpdate(next: CSINode, live: CSINode): StatusCause[] {
  const changed = (live.spec.drivers ?? []).flatMap((old) =>
    (next.spec.drivers ?? []).filter((driver) => driver.name === old.name && !same(driver, old)),
  );
  return [...validateCsiNode(next), ...changed.map((driver) => invalid("spec.drivers", { go: goLiteral(driver) }, immutableMessage))];
}

export function validateStorageCapacity({ nodeTopology, storageClassName, capacity }: CSIStorageCapacity): StatusCause[] {
  return [
    ...labelSelectorProblems(nodeTopology, "nodeTopology"),
    ...checkDnsSubdomain(storageClassName, "storageClassName"),
    ...(capacity === undefined ? [] : checkNonnegativeQuantity(capacity, "capacity")),
  ];
}

export function validateStorageCapacityUpdate(next: CSIStorageCapacity, live: CSIStorageCapacity): StatusCause[] {
  const causes: StatusCause[] = [];
  if (!same(next.nodeTopology, live.nodeTopology))
    causes.push(invalid("nodeTopology", { go: goLabelSelector(next.nodeTopology) }, immutableMessage));
  if (next.storageClassName !== live.storageClassName) causes.push(invalid("storageClassName", next.storageClassName, immutableMessage));
  return causes;
}

export function validateAttachment({ spec, status }: VolumeAttachment): StatusCause[] {
  const { attacher = "", nodeName = "", source = {} } = spec ?? {};
  const causes = attacher === "" ? [required("spec.attacher")] : [];
  const { persistentVolumeName: volume, inlineVolumeSpec: inline } = source;
  const exactly = "must specify exactly one of inlineVolumeSpec and persistentVolumeName";
  if (volume === undefined && inline === undefined) causes.push(required("spec.source", exactly));
  else if (volume !== undefined && inline !== undefined) causes.push(forbidden("spec.source", exactly));
  else if (volume === "") causes.push(required("spec.source.persistentVolumeName", "must specify non empty persistentVolumeName"));
  else if (inline !== undefined) causes.push(...checkInlineVolume(inline, "spec.source.inlineVolumeSpec"));
  causes.push(...checkDnsSubdomain(nodeName, "spec.nodeName"));
  const bytes = Object.entries(status?.attachmentMetadata ?? {}).reduce((sum, [key, value]) => sum + key.length + value.length, 0);
  if (bytes > maximumAttachmentBytes) causes.push(tooLong("status.attachmentMetadata", maximumAttachmentBytes));
  causes.push(...checkVolumeError(status?.attachError, "status.attachError"));
  causes.push(...checkVolumeError(status?.detachError, "status.detachError"));
  causes.push(...checkDriverName(attacher, "spec.attacher"));
  if (volume !== undefined) causes.push(...invalidEach("spec.source.persistentVolumeName", volume, dnsSubdomainProblems(volume)));
  return causes;
}

export function validateAttachmentUpdate(next: VolumeAttachment, live: VolumeAttachment): StatusCause[] {
  const causes = validateAttachment(next);
  return same(next.spec, live.spec) ? causes : [...causes, invalid("spec", { go: goLiteral(next.spec) }, immutableMessage)];
}

function checkVolumeError(error: VolumeError | undefined, path: string): StatusCause[] {
  const long = (error?.message ?? "").length > maximumErrorBytes;
  return long ? [tooLong(`${path}.message`, maximumAttachmentBytes)] : [];
}
