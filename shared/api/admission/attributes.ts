import type { KubernetesObject } from "../../kubernetes/object.ts";
import type { ResourceDefinition } from "../../kubernetes/resources.ts";
import type { KindSchema } from "../../kubernetes/schema/kind-schema.ts";
import { type StatusCause, StatusError } from "../../kubernetes/status-error.ts";
import type { ApiCluster } from "../api-cluster.ts";
import type { WriteContext } from "../registry.ts";
import { forbidden } from "../response.ts";

/** What `context` of a write says that admission asks for. */
export type AdmissionContext = Pick<WriteContext, "user" | "dryRun" | "warn" | "authorizer" | "options">;

interface Common {
  /** As the client addressed it; objects are in the storage version. */
  readonly served: ResourceDefinition;
  readonly definition: ResourceDefinition;
  /** Empty for the object itself. */
  readonly subresource: string;
  readonly namespace: string;
  /** Empty while a name is still to be generated. */
  readonly name: string;
  readonly context: AdmissionContext;
  /** Of the stored version; absent: nothing is known of its fields. */
  readonly schema: KindSchema | undefined;
}

/** One write as admission plugins see it: k8s.io/apiserver's `admission.Attributes`. `object` may be changed by those that mutate. */
export type AdmissionAttributes =
  | (Common & { readonly operation: "CREATE"; readonly object: KubernetesObject; readonly oldObject?: undefined })
  | (Common & { readonly operation: "UPDATE"; readonly object: KubernetesObject; readonly oldObject: KubernetesObject })
  | (Common & { readonly operation: "DELETE"; readonly object?: undefined; readonly oldObject: KubernetesObject })
  /** `object`: the options of the connection (`PodExecOptions`), which have no metadata of their own. */
  | (Common & { readonly operation: "CONNECT"; readonly object: KubernetesObject; readonly oldObject?: undefined });

/** A built-in plugin of kube-apiserver. Absent functions: it has nothing to do in that phase. */
export interface AdmissionPlugin {
  readonly mutate?: (cluster: ApiCluster, attributes: AdmissionAttributes) => void | Promise<void>;
  readonly validate?: (cluster: ApiCluster, attributes: AdmissionAttributes) => void | Promise<void>;
}

/** `admission.NewForbidden`: the name is the object's, else the prefix it is generated from, else `Unknown`. */
export function denied({ definition, name, object }: AdmissionAttributes, why: string, causes?: StatusCause[]): StatusError {
  const shown = name || object?.metadata.name || object?.metadata.generateName || "Unknown";
  const error = forbidden(definition.group, definition.resource, shown, why);
  return causes ? new StatusError(error.reason, error.message, { ...error.details, causes }) : error;
}

/** As apimachinery's `Aggregate.Error` joins them: each text once. */
export function aggregate(messages: readonly string[]): string {
  const unique = [...new Set(messages)];
  return unique.length > 1 ? `[${unique.join(", ")}]` : (unique[0] ?? "");
}
