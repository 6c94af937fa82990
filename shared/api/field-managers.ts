import { cloneJson } from "../kubernetes/clone.ts";
import { convert } from "../kubernetes/conversion.ts";
import { deepEqual } from "../kubernetes/deep-equal.ts";
import { type AppliedObject, applyConfiguration } from "../kubernetes/managed-fields/apply.ts";
import { parentManagers, scaleManagers } from "../kubernetes/managed-fields/scale-managers.ts";
import { type ConvertForManager, sameButForTimes, trackUpdate } from "../kubernetes/managed-fields/track-update.ts";
import type { KubernetesObject } from "../kubernetes/object.ts";
import { apiVersionOf, type ResourceDefinition } from "../kubernetes/resources.ts";
import { replicasPathsOf } from "../kubernetes/scale.ts";
import { type KindSchema, kindSchema } from "../kubernetes/schema/kind-schema.ts";
import type { JsonObject } from "../kubernetes/schema/schema-node.ts";
import type { ManagedFieldsEntry, Scale } from "../kubernetes/types.ts";
import { strategyOf } from "./strategy.ts";

/** A write as the managers of fields see it. */
export interface ManagedWrite {
  readonly definition: ResourceDefinition;
  readonly schema: KindSchema | undefined;
  /** The version that the request is in, where the object is kept in another. */
  readonly served?: ResourceDefinition;
  readonly manager: string;
  /** Empty for the resource itself. */
  readonly subresource: string;
  readonly timeIso: string;
}

export const asRecord = (object: object): Record<string, unknown> => object as Record<string, unknown>;

/** `GetResetFields` of the registry's strategies: what a write through this path cannot change. */
function ignoredPaths({ definition, subresource }: ManagedWrite): readonly (readonly string[])[] {
  const { resetFields } = strategyOf(definition);
  if (subresource === "status") return resetFields.status ?? [["spec"]];
  if (subresource === "approval" && resetFields.approval) return resetFields.approval;
  return resetFields.main ?? (definition.subresources.some(({ name }) => name === "status") ? [["status"]] : []);
}

const schemaOfVersion = ({ group, version, kind }: ResourceDefinition): KindSchema | undefined => kindSchema(group, version, kind);

/** The built-in kinds whose versions differ in more than their name, with those versions. */
const versionsOfKind: Readonly<Record<string, readonly string[]>> = {
  HorizontalPodAutoscaler: ["autoscaling/v1", "autoscaling/v2"],
  Event: ["v1", "events.k8s.io/v1"],
};

/** An object before and after a write in the versions, by `apiVersion`, in which others wrote it. A version that is missing cannot be shown any more. */
export interface ManagerViews {
  readonly versions: ReadonlyMap<string, { readonly live: JsonObject; readonly next: JsonObject }>;
  readonly schemaOf: (apiVersion: string) => KindSchema | undefined;
}

/** How the object looks to managers that wrote it in another version. */
function conversionFor(definition: ResourceDefinition, views?: ManagerViews): { convert?: ConvertForManager } {
  if (views) {
    return {
      convert(_object, apiVersion, which) {
        const found = views.versions.get(apiVersion)?.[which];
        return found && { object: found, schema: views.schemaOf(apiVersion)?.fields };
      },
    };
  }
  const versions = definition.custom ? undefined : versionsOfKind[definition.kind];
  if (versions === undefined) return {};
  return {
    convert(object, apiVersion) {
      if (!versions.includes(apiVersion)) return undefined;
      const [version = "", group = ""] = apiVersion.split("/").reverse();
      const to: ResourceDefinition = Object.assign({}, definition, { group, version });
      const schema = schemaOfVersion(to);
      return (
        schema && { object: asRecord(convert(object as unknown as KubernetesObject, apiVersionOf(definition), to)), schema: schema.fields }
      );
    },
  };
}

/** What the kind prints with nothing set. */
export function emptyObject(schema: KindSchema | undefined, definition: ResourceDefinition): KubernetesObject {
  const empty = { kind: definition.kind, apiVersion: apiVersionOf(definition), metadata: {} };
  schema?.prune(empty);
  return empty;
}

/** Sets `metadata.managedFields` of `next` to what they are after the write. `live` is undefined for a create. */
export function recordManagers(
  write: ManagedWrite,
  live: KubernetesObject | undefined,
  next: KubernetesObject,
  views?: ManagerViews,
): void {
  const { manager, subresource, timeIso } = write;
  const definition = write.served ?? write.definition;
  const schema = definition === write.definition ? write.schema : schemaOfVersion(definition);
  const shown = (object: KubernetesObject): KubernetesObject => convert(object, apiVersionOf(write.definition), definition);
  const managers = trackUpdate({
    schema: schema?.fields,
    live: asRecord(live ? shown(live) : emptyObject(schema, definition)),
    next: asRecord(shown(next)),
    manager,
    apiVersion: apiVersionOf(definition),
    subresource,
    timeIso,
    managers: live?.metadata.managedFields,
    ignored: ignoredPaths(write),
    ...conversionFor(definition, views),
  });
  setManagers(next, managers);
}

/**
 * The managers of an object whose Scale is written: whoever changed the number of replicas owns it, at the object's own path
 * (apimachinery `ScaleHandler`).
 */
export function managersAfterScale(write: ManagedWrite, live: KubernetesObject, liveScale: Scale, nextScale: Scale): ManagedFieldsEntry[] {
  const apiVersion = apiVersionOf(write.definition);
  const paths = replicasPathsOf(write.definition);
  const schema = kindSchema("autoscaling", "v1", "Scale");
  const managers = scaleManagers(live.metadata.managedFields, paths);
  const { manager, subresource, timeIso } = write;
  const scale = trackUpdate({
    schema: schema?.fields,
    live: asRecord(liveScale),
    next: asRecord(nextScale),
    manager,
    apiVersion: "autoscaling/v1",
    subresource,
    timeIso,
    managers,
  });
  return parentManagers(live.metadata.managedFields, scale, apiVersion, paths);
}

/** Server-side apply of a Scale: its managers are those of the object's replicas. @throws StatusError `Conflict`, `BadRequest` */
export function applyScale(
  write: ManagedWrite,
  live: KubernetesObject,
  liveScale: Scale,
  config: JsonObject,
  force: boolean,
): { replicas: number; managers: ManagedFieldsEntry[] } {
  const parent = apiVersionOf(write.definition);
  const paths = replicasPathsOf(write.definition);
  const schema = kindSchema("autoscaling", "v1", "Scale");
  const { manager, subresource, timeIso } = write;
  const { object, managers } = applyConfiguration({
    schema: schema?.fields,
    live: asRecord(liveScale),
    empty: { kind: "Scale", apiVersion: "autoscaling/v1", metadata: {} },
    config,
    manager,
    apiVersion: "autoscaling/v1",
    subresource,
    timeIso,
    managers: scaleManagers(live.metadata.managedFields, paths),
    force,
  });
  const replicas = (object as { spec?: { replicas?: number } | null }).spec?.replicas ?? 0;
  return { replicas, managers: parentManagers(live.metadata.managedFields, managers, parent, paths) };
}

export function setManagers(object: KubernetesObject, managers: ManagedFieldsEntry[]): void {
  if (managers.length > 0) object.metadata.managedFields = managers;
  else delete object.metadata.managedFields;
}

/** Server-side apply of `config` over `live` (KEP-555). The answer is pruned; the caller defaults and validates it. @throws StatusError `Conflict`, `BadRequest` */
export function applyManaged(
  write: ManagedWrite,
  live: KubernetesObject | undefined,
  config: KubernetesObject,
  force: boolean,
  views?: ManagerViews,
): AppliedObject {
  const { definition, schema, manager, subresource, timeIso } = write;
  const empty = asRecord(emptyObject(schema, definition));
  const applied = applyConfiguration({
    schema: schema?.fields,
    live: live ? asRecord(live) : empty,
    empty,
    config: asRecord(config),
    manager,
    apiVersion: apiVersionOf(definition),
    subresource,
    timeIso,
    managers: live?.metadata.managedFields,
    force,
    ignored: ignoredPaths(write),
    ...conversionFor(definition, views),
  });
  const object = cloneJson(applied.object);
  schema?.prune(object);
  return { ...applied, object };
}

/** Whether a write changes nothing: times of managers alone do not count. */
export function isUnchanged(next: KubernetesObject, live: KubernetesObject): boolean {
  const { managedFields: ours, ...metadata } = next.metadata;
  const { managedFields: theirs, ...before } = live.metadata;
  return deepEqual({ ...next, metadata }, { ...live, metadata: before }) && sameButForTimes(ours, theirs);
}
