import { type Parameter, parameters, subresourceParameters } from "./openapi-parameters.ts";
import { apiVersionOf, type ResourceDefinition, type SubresourceDefinition } from "./resources.ts";

/** A reference to a component by its name, or what has no component. */
export type SchemaUse = { readonly component: string } | "string";

/** One operation of a path, free of the version of OpenAPI in which it will be written. */
export interface Operation {
  readonly operationId: string;
  readonly description: string;
  readonly tag: string;
  readonly action: string;
  readonly kind: { readonly group: string; readonly version: string; readonly kind: string };
  readonly parameters: readonly Parameter[];
  readonly body?: { readonly schema: SchemaUse; readonly types: readonly string[]; readonly required: boolean };
  readonly answers: readonly { readonly status: number; readonly schema: SchemaUse }[];
  readonly answerTypes: readonly string[];
}

export type Method = "delete" | "get" | "head" | "options" | "patch" | "post" | "put";

export interface PathItem {
  readonly path: string;
  /** Of every operation of the path. */
  readonly parameters: readonly Parameter[];
  readonly operations: Partial<Record<Method, Operation>>;
}

/** The component that describes a kind; `undefined` where there is none. */
export type ComponentOf = (group: string, version: string, kind: string) => string | undefined;

type Action = "list" | "post" | "deletecollection" | "get" | "put" | "patch" | "delete" | "watch" | "watchlist";

const meta = "io.k8s.apimachinery.pkg.apis.meta.v1";
const customTypes = ["application/json", "application/yaml"];
export const objectTypes = [...customTypes, "application/vnd.kubernetes.protobuf"];
const patchTypes = [
  "application/json-patch+json",
  "application/merge-patch+json",
  "application/strategic-merge-patch+json",
  "application/apply-patch+yaml",
] as const;

/** kubectl reads here which kinds take strategic merge patches. */
const customPatchTypes = patchTypes.filter((type) => type !== "application/strategic-merge-patch+json");

/** Verbs of discovery, the action that each is in OpenAPI, and the method and the parameters of its requests. */
const actionOf = {
  list: { verb: "list", method: "get", id: "list", parameters: parameters.watch },
  post: { verb: "create", method: "post", id: "create", parameters: parameters.write },
  deletecollection: { verb: "deletecollection", method: "delete", id: "delete", parameters: parameters.deleteCollection },
  get: { verb: "get", method: "get", id: "read", parameters: [] },
  put: { verb: "update", method: "put", id: "replace", parameters: parameters.write },
  patch: { verb: "patch", method: "patch", id: "patch", parameters: parameters.patch },
  delete: { verb: "delete", method: "delete", id: "delete", parameters: parameters.delete },
  watch: { verb: "watch", method: "get", id: "watch", parameters: parameters.watch },
  watchlist: { verb: "watch", method: "get", id: "watch", parameters: parameters.watch },
} as const;

const onCollection = ["deletecollection", "list", "post"] as const;
const onObject = ["delete", "get", "patch", "put"] as const;
const connecting: ReadonlySet<string> = new Set(["attach", "exec", "portforward", "proxy"]);

/** Deleting these answers with the object that was deleted, the others with a Status: `ReturnDeletedObject` in Kubernetes' registries. */
const answersDeleted: ReadonlySet<string> = new Set([
  "persistentvolumeclaims",
  "persistentvolumes",
  "pods",
  "podtemplates",
  "resourcequotas",
  "serviceaccounts",
  "services",
  "storage.k8s.io/csidrivers",
  "storage.k8s.io/csinodes",
  "storage.k8s.io/storageclasses",
  "storage.k8s.io/volumeattachments",
]);

/** The paths of one resource with its subresources, as apiserver's `installer.go` makes and names them. */
export function resourcePaths(resource: ResourceDefinition, componentOf: ComponentOf): PathItem[] {
  const root = `/${resource.group === "" ? "api" : "apis"}/${apiVersionOf(resource)}`;
  const place = resource.namespaced ? `namespaces/{namespace}/${resource.resource}` : resource.resource;
  const where = resource.namespaced ? [parameters.namespace, parameters.pretty] : [parameters.pretty];
  const one = [parameters.name, ...where];
  const make = (action: Action, everywhere = false) => operation(resource, componentOf, action, { everywhere });
  const items = [
    pathItem(
      `${root}/${place}`,
      where,
      onCollection.map((action) => make(action)),
    ),
    pathItem(
      `${root}/${place}/{name}`,
      one,
      onObject.map((action) => make(action)),
    ),
    pathItem(`${root}/watch/${place}`, where, [make("watchlist")]),
    pathItem(`${root}/watch/${place}/{name}`, one, [resource.verbs.has("get") ? make("watch") : undefined]),
  ];
  if (resource.namespaced) {
    items.push(pathItem(`${root}/${resource.resource}`, [parameters.pretty], [make("list", true)]));
    items.push(pathItem(`${root}/watch/${resource.resource}`, [parameters.pretty], [make("watchlist", true)]));
  }
  for (const subresource of resource.subresources) {
    items.push(...subresourcePaths(resource, componentOf, `${root}/${place}/{name}/${subresource.name}`, one, subresource));
  }
  return items.filter(({ operations }) => Object.keys(operations).length > 0);
}

function subresourcePaths(
  resource: ResourceDefinition,
  componentOf: ComponentOf,
  path: string,
  where: readonly Parameter[],
  subresource: SubresourceDefinition,
): PathItem[] {
  const own = subresourceParameters.get(subresource.name) ?? [];
  if (!connecting.has(subresource.name)) {
    const operations = ([...onObject, "post"] as const).map((action) => operation(resource, componentOf, action, { subresource }));
    return [pathItem(path, [...where, ...own], operations)];
  }
  const bare = where.filter(({ name }) => name !== "pretty");
  const item = pathItem(path, [...bare, ...own], connections(resource, subresource, ""));
  if (subresource.name !== "proxy") return [item];
  return [item, pathItem(`${path}/{path}`, [...bare, parameters.path, ...own], connections(resource, subresource, "WithPath"))];
}

type Made = { readonly method: Method; readonly operation: Operation };

/** What all operations take stands with their path (kube-openapi `findCommonParameters`). */
function pathItem(path: string, shared: readonly Parameter[], made: readonly (Made | undefined)[]): PathItem {
  const present = made.filter((entry) => entry !== undefined);
  const common = (present[0]?.operation.parameters ?? []).filter((parameter) =>
    present.every(({ operation }) => operation.parameters.includes(parameter)),
  );
  const operations: Partial<Record<Method, Operation>> = {};
  for (const { method, operation } of present)
    operations[method] = { ...operation, parameters: operation.parameters.filter((parameter) => !common.includes(parameter)) };
  return { path, parameters: [...shared, ...common], operations };
}

interface Variant {
  readonly subresource?: SubresourceDefinition;
  /** Over all namespaces. */
  readonly everywhere?: boolean;
}

/** `undefined` when the resource has no such verb. */
function operation(resource: ResourceDefinition, componentOf: ComponentOf, action: Action, variant: Variant): Made | undefined {
  const { verb, method, id, parameters: own } = actionOf[action];
  const { subresource, everywhere } = variant;
  if (!(subresource ?? resource).verbs.has(verb)) return undefined;
  const { group, version, kind } = subresource ?? resource;
  const operationId = [
    id,
    groupTitle(resource.group),
    title(resource.version),
    action === "deletecollection" ? "Collection" : "",
    resource.namespaced && !everywhere ? "Namespaced" : "",
    resource.kind,
    action === "watchlist" ? "List" : "",
    title(subresource?.name ?? ""),
    everywhere ? "ForAllNamespaces" : "",
  ].join("");
  return {
    method,
    operation: {
      operationId,
      description: describe(action, resource, subresource),
      tag: tagOf(resource),
      action,
      kind: { group, version, kind },
      parameters: own,
      ...content(resource, action, subresource, componentOf),
    },
  };
}

type Content = Pick<Operation, "body" | "answers" | "answerTypes">;

function content(
  resource: ResourceDefinition,
  action: Action,
  subresource: SubresourceDefinition | undefined,
  componentOf: ComponentOf,
): Content {
  const { group, version, kind } = subresource ?? resource;
  const use = (component: string | undefined): SchemaUse => (component === undefined ? "string" : { component });
  const object = subresource?.name === "log" ? "string" : use(componentOf(group, version, kind));
  const answers = (schema: SchemaUse, ...statuses: number[]) => statuses.map((status) => ({ status, schema }));
  const body = (schema: SchemaUse, types: readonly string[], required: boolean) => ({ body: { schema, types, required } });
  const options = body({ component: `${meta}.DeleteOptions` }, ["*/*"], false);
  const status: SchemaUse = { component: `${meta}.Status` };
  const types = resource.custom ? customTypes : objectTypes;
  const streamTypes = [...types, ...types.filter((type) => type !== "application/yaml").map((type) => `${type};stream=watch`)];
  switch (action) {
    case "list":
      return { answers: answers(use(componentOf(group, version, `${kind}List`)), 200), answerTypes: streamTypes };
    case "watch":
    case "watchlist":
      return { answers: answers({ component: `${meta}.WatchEvent` }, 200), answerTypes: streamTypes };
    case "get":
      return { answers: answers(object, 200), answerTypes: object === "string" ? ["text/plain", ...types] : types };
    case "post":
      return { ...body(object, ["*/*"], true), answers: answers(object, 200, 201, 202), answerTypes: types };
    case "put":
      return { ...body(object, ["*/*"], true), answers: answers(object, 200, 201), answerTypes: types };
    case "patch":
      return {
        ...body({ component: `${meta}.Patch` }, resource.custom ? customPatchTypes : patchTypes, true),
        answers: answers(object, 200, 201),
        answerTypes: types,
      };
    case "delete":
      return {
        ...options,
        answers: answers(answersDeleted.has(resource.collection) ? object : status, 200, 202),
        answerTypes: types,
      };
    case "deletecollection":
      return { ...options, answers: answers(status, 200), answerTypes: types };
    default:
      return action satisfies never;
  }
}

function describe(action: Action, { kind, verbs }: ResourceDefinition, subresource: SubresourceDefinition | undefined): string {
  const part = subresource ? `${subresource.name} of ` : "";
  switch (action) {
    case "list":
      return verbs.has("watch") ? `list or watch objects of kind ${kind}` : `list objects of kind ${kind}`;
    case "post":
      return `create ${part}a ${kind}`;
    case "get":
      return `read ${part}the specified ${kind}`;
    case "put":
      return `replace ${part}the specified ${kind}`;
    case "patch":
      return `partially update ${part}the specified ${kind}`;
    case "delete":
      return `delete ${part}a ${kind}`;
    case "deletecollection":
      return `delete collection of ${kind}`;
    case "watch":
      return `watch changes to an object of kind ${kind}`;
    case "watchlist":
      return `watch individual changes to a list of ${kind}`;
    default:
      return action satisfies never;
  }
}

/** Streams and proxies: whatever the method, the action is `connect`. A proxy also passes HEAD and OPTIONS on. */
function connections(resource: ResourceDefinition, subresource: SubresourceDefinition, suffix: string): Made[] {
  const methods = ([...onObject, "post"] as const).filter((action) => subresource.verbs.has(actionOf[action].verb));
  const all: Method[] = subresource.name === "proxy" ? [...methods, "head", "options"] : methods;
  const scope = resource.namespaced ? "Namespaced" : "";
  const { group, version, kind } = subresource;
  return all.map((method) => ({
    method,
    operation: {
      operationId: `connect${groupTitle(resource.group)}${title(resource.version)}${title(method)}${scope}${resource.kind}${title(subresource.name)}${suffix}`,
      description: `connect ${method.toUpperCase()} requests to ${subresource.name} of ${resource.kind}`,
      tag: tagOf(resource),
      action: "connect",
      kind: { group, version, kind },
      parameters: [],
      answers: [{ status: 200, schema: "string" }],
      answerTypes: ["*/*"],
    },
  }));
}

/** `"rbac.authorization.k8s.io"` as operation ids spell it: `"RbacAuthorization"`; the empty group is `"Core"`. */
export function groupTitle(group: string): string {
  const words = (group === "" ? "core" : group.replace(/\.k8s\.io$/, "")).split(".");
  return words.map(title).join("");
}

export function tagOf({ group, version }: { readonly group: string; readonly version: string }): string {
  const name = groupTitle(group);
  return `${name.charAt(0).toLowerCase()}${name.slice(1)}_${version}`;
}

function title(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}
