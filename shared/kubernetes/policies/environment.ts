import { authorizerType, resourceCheckType } from "../cel/library/authorizer.ts";
import { boolType, type CelType, dynType, intType, listOf, mapOf, objectType, stringType, timestampType } from "../cel/type.ts";

const groupVersionKind = objectType("kubernetes.GroupVersionKind", [
  ["group", stringType],
  ["version", stringType],
  ["kind", stringType],
]);
const groupVersionResource = objectType("kubernetes.GroupVersionResource", [
  ["group", stringType],
  ["version", stringType],
  ["resource", stringType],
]);
const userInfo = objectType("kubernetes.UserInfo", [
  ["username", stringType],
  ["uid", stringType],
  ["groups", listOf(stringType)],
  ["extra", mapOf(stringType, listOf(stringType))],
]);

/** `request`: the AdmissionRequest without its objects (apiserver `plugin/cel/compile.go` BuildRequestType). */
export const requestType = objectType("kubernetes.AdmissionRequest", [
  ["kind", groupVersionKind],
  ["resource", groupVersionResource],
  ["subResource", stringType],
  ["requestKind", groupVersionKind],
  ["requestResource", groupVersionResource],
  ["requestSubResource", stringType],
  ["name", stringType],
  ["namespace", stringType],
  ["operation", stringType],
  ["userInfo", userInfo],
  ["dryRun", boolType],
  ["options", dynType],
]);

const labels = mapOf(stringType, stringType);
const namespaceMetadata = objectType("kubernetes.NamespaceMetadata", [
  ["name", stringType],
  ["generateName", stringType],
  ["namespace", stringType],
  ["labels", labels],
  ["annotations", labels],
  ["UID", stringType],
  ["creationTimestamp", timestampType],
  ["deletionGracePeriodSeconds", intType],
  ["deletionTimestamp", timestampType],
  ["generation", intType],
  ["resourceVersion", stringType],
  ["finalizers", listOf(stringType)],
]);
const namespaceCondition = objectType("kubernetes.NamespaceCondition", [
  ["status", stringType],
  ["type", stringType],
  ["lastTransitionTime", timestampType],
  ["message", stringType],
  ["reason", stringType],
]);

/** `namespaceObject` (BuildNamespaceType). */
export const namespaceType = objectType("kubernetes.Namespace", [
  ["metadata", namespaceMetadata],
  ["spec", objectType("kubernetes.NamespaceSpec", [["finalizers", listOf(stringType)]])],
  [
    "status",
    objectType("kubernetes.NamespaceStatus", [
      ["conditions", listOf(namespaceCondition)],
      ["phase", stringType],
    ]),
  ],
]);

export interface EnvironmentOptions {
  readonly hasParams: boolean;
  readonly hasAuthorizer: boolean;
  /** Known only where types are checked on purpose; else anything. */
  readonly object?: CelType;
  readonly params?: CelType;
}

/** The variables of an admission expression. */
export function variablesOf({ hasParams, hasAuthorizer, object = dynType, params = dynType }: EnvironmentOptions): Map<string, CelType> {
  const variables = new Map<string, CelType>([
    ["object", object],
    ["oldObject", object],
    ["namespaceObject", namespaceType],
    ["request", requestType],
  ]);
  if (hasParams) variables.set("params", params);
  if (hasAuthorizer) {
    variables.set("authorizer", authorizerType);
    variables.set("authorizer.requestResource", resourceCheckType);
  }
  return variables;
}
