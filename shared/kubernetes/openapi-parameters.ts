/** A parameter of an OpenAPI operation, without prose. */
export interface Parameter {
  readonly name: string;
  readonly in: "path" | "query";
  readonly required?: true;
  readonly schema: { readonly type: string; readonly uniqueItems: true };
}

function query(name: string, type = "string"): Parameter {
  return { name, in: "query", schema: { type, uniqueItems: true } };
}

function path(name: string): Parameter {
  return { name, in: "path", required: true, schema: { type: "string", uniqueItems: true } };
}

/** The queries of each kind of request: those of apimachinery's ListOptions, CreateOptions, PatchOptions, DeleteOptions and of core's pod options. */
export const parameters = {
  name: path("name"),
  namespace: path("namespace"),
  path: path("path"),
  pretty: query("pretty"),
  watch: [
    query("allowWatchBookmarks", "boolean"),
    query("continue"),
    query("fieldSelector"),
    query("labelSelector"),
    query("limit", "integer"),
    query("resourceVersion"),
    query("resourceVersionMatch"),
    query("sendInitialEvents", "boolean"),
    query("timeoutSeconds", "integer"),
    query("watch", "boolean"),
  ],
  write: [query("dryRun"), query("fieldManager"), query("fieldValidation")],
  patch: [query("dryRun"), query("fieldManager"), query("fieldValidation"), query("force", "boolean")],
  delete: [
    query("dryRun"),
    query("gracePeriodSeconds", "integer"),
    query("ignoreStoreReadErrorWithClusterBreakingPotential", "boolean"),
    query("orphanDependents", "boolean"),
    query("propagationPolicy"),
  ],
  deleteCollection: [
    query("continue"),
    query("dryRun"),
    query("fieldSelector"),
    query("gracePeriodSeconds", "integer"),
    query("ignoreStoreReadErrorWithClusterBreakingPotential", "boolean"),
    query("labelSelector"),
    query("limit", "integer"),
    query("orphanDependents", "boolean"),
    query("propagationPolicy"),
    query("resourceVersion"),
    query("resourceVersionMatch"),
    query("sendInitialEvents", "boolean"),
    query("timeoutSeconds", "integer"),
  ],
} as const;

const streams = ["stderr", "stdin", "stdout", "tty"].map((name) => query(name, "boolean"));

/** By the name of a subresource, the queries of its own kind of options. */
export const subresourceParameters: ReadonlyMap<string, readonly Parameter[]> = new Map([
  ["attach", [query("container"), ...streams]],
  ["exec", [query("command"), query("container"), ...streams]],
  ["portforward", [query("ports", "integer")]],
  ["proxy", [query("path")]],
  [
    "log",
    [
      query("container"),
      query("follow", "boolean"),
      query("insecureSkipTLSVerifyBackend", "boolean"),
      query("limitBytes", "integer"),
      query("previous", "boolean"),
      query("sinceSeconds", "integer"),
      query("stream"),
      query("tailLines", "integer"),
      query("timestamps", "boolean"),
    ],
  ],
]);
