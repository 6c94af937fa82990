import { groupTitle, type Operation, objectTypes, type PathItem, tagOf } from "./openapi-paths.ts";
import { apiVersionOf, builtinResources, type ResourceDefinition } from "./resources.ts";

const meta = "io.k8s.apimachinery.pkg.apis.meta.v1";

/** What a client finds its way by, as operations: they belong to no kind. */
function reading(
  path: string,
  operation: Pick<Operation, "operationId" | "description" | "tag" | "answerTypes">,
  component?: string,
): PathItem {
  const get: Operation = {
    ...operation,
    action: "",
    kind: { group: "", version: "", kind: "" },
    parameters: [],
    answers: [{ status: 200, schema: component === undefined ? "string" : { component } }],
  };
  return { path: `/${path}/`, parameters: [], operations: { get } };
}

/** The resources of a group version. */
export function groupVersionItem(resource: ResourceDefinition): PathItem {
  const { group, version } = resource;
  const operation = {
    operationId: `get${groupTitle(group)}${version.charAt(0).toUpperCase()}${version.slice(1)}APIResources`,
    description: "get available resources",
    tag: tagOf(resource),
    answerTypes: resource.custom ? ["application/json", "application/yaml"] : objectTypes,
  };
  return reading(`${group === "" ? "api" : "apis"}/${apiVersionOf(resource)}`, operation, `${meta}.APIResourceList`);
}

function groupItem(group: string): PathItem {
  const name = groupTitle(group);
  const operation = {
    operationId: `get${name}APIGroup`,
    description: "get information of a group",
    tag: `${name.charAt(0).toLowerCase()}${name.slice(1)}`,
    answerTypes: objectTypes,
  };
  return reading(`apis/${group}`, operation, `${meta}.APIGroup`);
}

const json = ["application/json"];
const versions = { description: "get available API versions", answerTypes: objectTypes };
const fixed: readonly PathItem[] = [
  reading("api", { ...versions, operationId: "getCoreAPIVersions", tag: "core" }, `${meta}.APIVersions`),
  reading("apis", { ...versions, operationId: "getAPIVersions", tag: "apis" }, `${meta}.APIGroupList`),
  reading(
    "version",
    { operationId: "getCodeVersion", description: "get the version information for this server", tag: "version", answerTypes: json },
    "io.k8s.apimachinery.pkg.version.Info",
  ),
  reading(".well-known/openid-configuration", {
    operationId: "getServiceAccountIssuerOpenIDConfiguration",
    description: "get service account issuer OpenID configuration, also known as the 'OIDC discovery doc'",
    tag: "WellKnown",
    answerTypes: json,
  }),
  reading("openid/v1/jwks", {
    operationId: "getServiceAccountIssuerOpenIDKeyset",
    description: "get service account issuer OpenID JSON Web Key Set (contains public token verification keys)",
    tag: "openid",
    answerTypes: ["application/jwk-set+json"],
  }),
];

/** Documents besides those of group versions, by their place below `/openapi/v3`: each has one path. Custom groups have none. */
export function discoveryItems(): ReadonlyMap<string, PathItem> {
  const groups = new Set(builtinResources().map(({ group }) => group));
  groups.delete("");
  return new Map([...fixed, ...[...groups].map(groupItem)].map((item) => [item.path.slice(1, -1), item]));
}
