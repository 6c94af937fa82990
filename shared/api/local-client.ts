import { loops, type UserInfo } from "../auth/user.ts";
import { cloneObject } from "../kubernetes/clone.ts";
import type { GroupResource, KubernetesObject } from "../kubernetes/object.ts";
import { apiVersionOf, type ResourceDefinition } from "../kubernetes/resources.ts";
import { scaleOf, withReplicas } from "../kubernetes/scale.ts";
import type { KindSchema } from "../kubernetes/schema/kind-schema.ts";
import type { Scale } from "../kubernetes/types.ts";
import { bindPods } from "./binding.ts";
import { deleteObject } from "./deletion.ts";
import type { ObjectClient } from "./object-client.ts";
import { applyPatch } from "./patch.ts";
import type { Registry, WriteContext } from "./registry.ts";
import { conflict, noSuchResource } from "./response.ts";

/** Whose writes they are in `managedFields` when the writer does not say. */
const defaultManager = "kube-controller-manager";

/** The object client of the loops: the registry without HTTP. What it is given is copied first, so callers may pass shared objects. */
export function createLocalClient(registry: Registry, user: UserInfo = loops): ObjectClient {
  const { cluster } = registry;
  const contextOf = (fieldManager = defaultManager): WriteContext => ({ user, dryRun: false, fieldManager, warn: () => {} });
  return {
    create(resource, object, options) {
      const definition = definitionOf(registry, resource);
      return registry.create(
        definition,
        object.metadata.namespace ?? "",
        stamped(definition, registry.schemaOf(definition), object),
        contextOf(options?.fieldManager),
      );
    },
    update(resource, object, options) {
      const definition = definitionOf(registry, resource);
      const { namespace = "", name = "", resourceVersion, uid } = object.metadata;
      const next = stamped(definition, registry.schemaOf(definition), object);
      const conditions = { ...(resourceVersion && { resourceVersion }), ...(uid && { uid }) };
      if (options?.subresource === "scale") {
        const replicas = (object as Scale).spec?.replicas ?? 0;
        return registry.update(
          definition,
          namespace,
          name,
          (live) => withReplicas(definition, live, replicas),
          contextOf(options.fieldManager),
          {
            subresource: "scale",
            ...conditions,
          },
        );
      }
      return registry.update(definition, namespace, name, { replacement: next }, contextOf(options?.fieldManager), {
        subresource: options?.subresource,
        ...conditions,
      });
    },
    patch(resource, namespace, name, patch, options) {
      const definition = definitionOf(registry, resource);
      const schema = registry.schemaOf(definition);
      const change = (live: KubernetesObject): KubernetesObject => {
        if (options?.subresource === "scale") {
          const scale = applyPatch(scaleOf(definition, live), patch, undefined) as Scale;
          return withReplicas(definition, live, scale.spec?.replicas ?? 0);
        }
        const next = normalized(definition, schema, applyPatch(live, patch, schema) as KubernetesObject);
        const { resourceVersion = "" } = next.metadata;
        if (resourceVersion !== "" && resourceVersion !== live.metadata.resourceVersion)
          throw conflict(definition.group, definition.resource, name);
        return next;
      };
      return registry.update(definition, namespace, name, change, contextOf(options?.fieldManager), { subresource: options?.subresource });
    },
    async delete(resource, namespace, name, options) {
      await deleteObject(registry, definitionOf(registry, resource), namespace, name, options ?? {}, contextOf());
    },
    bind: (bindings) => bindPods(cluster, bindings),
  };
}

function definitionOf(registry: Registry, resource: GroupResource): ResourceDefinition {
  const definition = registry.cluster.resources.storage(resource);
  if (!definition) throw noSuchResource();
  return definition;
}

/** A copy as everything in the store is. */
function stamped(definition: ResourceDefinition, schema: KindSchema | undefined, object: KubernetesObject): KubernetesObject {
  return normalized(definition, schema, cloneObject(object));
}

/** As everything in the store is: kind and version in front, and no empty lists. `object` is taken over. */
function normalized(definition: ResourceDefinition, schema: KindSchema | undefined, object: KubernetesObject): KubernetesObject {
  const { kind: _kind, apiVersion: _version, metadata, ...rest } = object;
  const whole = { kind: definition.kind, apiVersion: apiVersionOf(definition), metadata, ...rest };
  schema?.prune(whole);
  return whole;
}
