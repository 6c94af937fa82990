import { once, readFacts } from "../facts.ts";
import type { FieldSchema } from "../managed-fields/schema-of.ts";
import type { PatchSchema } from "../patch-schema.ts";
import type { StatusCause } from "../status-error.ts";
import { createDefaulter, type SetDefaults } from "./apply-defaults.ts";
import { typeProblem } from "./check-types.ts";
import { createCompiler } from "./compile.ts";
import { coreDefaults } from "./defaults/core.ts";
import { otherDefaults } from "./defaults/other.ts";
import { podDefaults } from "./defaults/pod.ts";
import { workloadDefaults } from "./defaults/workloads.ts";
import { createFieldViews } from "./field-view.ts";
import type { SchemaDocument } from "./open-api.ts";
import { patchSchemaOf } from "./patch-view.ts";
import { prune } from "./prune.ts";
import type { JsonObject, SchemaNode } from "./schema-node.ts";
import { unknownFields } from "./unknown-fields.ts";
import type { JudgedSubresource } from "./validation/kind-rules.ts";
import { createRuleBook, validateNew, validateNext } from "./validation/validate.ts";
import { kindWarnings } from "./warnings/kind-warnings.ts";

/**
 * Everything that the schema of one kind decides. Objects are whole JSON objects with apiVersion, kind and metadata. The order of a write:
 * `checkTypes`, `unknownFields`, `prune`, `applyDefaults`, `validateCreate` or `validateUpdate`; each expects what the ones before it left.
 */
export interface KindSchema {
  /** The first type mismatch in the words of Go's decoder as kube-apiserver reports them; undefined when the types fit. */
  checkTypes(object: JsonObject): string | undefined;
  /** Unknown fields in document order, in the strict decoder's words: `unknown field "spec.foo"`. At most 100, each once. */
  unknownFields(object: JsonObject): string[];
  /**
   * Brings the object into the form that kube-apiserver would store and print it in, in place: unknown fields, nulls and omitted zero
   * values vanish, fields that are always printed appear (`resources: {}`, `status: {}`, `creationTimestamp: null`, `rules: null`), and
   * quantities and times take their canonical form. Lists and maps that the API calls required may be null afterwards.
   */
  prune(object: JsonObject): void;
  /** Published defaults and those that Kubernetes sets by code, in place, idempotent. */
  applyDefaults(object: JsonObject): void;
  /** What is wrong with a new object, in Kubernetes' words and order; empty when it may be stored. */
  validateCreate(object: JsonObject): StatusCause[];
  /**
   * What is wrong with `next` as the successor of `live`, written through a subresource where one is named. `warn` is told what is not held
   * against it.
   */
  validateUpdate(next: JsonObject, live: JsonObject, subresource?: JudgedSubresource, warn?: (text: string) => void): StatusCause[];
  /** What the client is told about an object that passed; `live` is undefined for a create. Not for subresources. */
  warnings(object: JsonObject, live: JsonObject | undefined): string[];
  /** How strategic merge patches see the kind. */
  readonly patch: PatchSchema;
  /** How ownership of fields sees it. */
  readonly fields: FieldSchema;
  /** The compiled schema itself, for views of it that others define. */
  readonly node: SchemaNode;
}

/** The schemas of the kinds of one OpenAPI document; each kind is compiled at its first use and kept. */
export interface Schemas {
  kind(group: string, version: string, kind: string): KindSchema | undefined;
}

const defaultRules = once(() => new Map<string, SetDefaults>([...podDefaults, ...coreDefaults, ...workloadDefaults, ...otherDefaults]));

export function createSchemas(document: SchemaDocument): Schemas {
  const compiler = createCompiler(document);
  const applyDefaults = createDefaulter(defaultRules());
  const fieldsOf = createFieldViews();
  const rulesOf = createRuleBook();
  const components = new Map<string, string>();
  for (const [name, schema] of Object.entries(document.schemas)) {
    const served = schema["x-kubernetes-group-version-kind"];
    if (served?.length !== 1) continue;
    for (const { group, version, kind } of served) components.set(`${group}/${version}/${kind}`, name);
  }
  const kinds = new Map<string, KindSchema | undefined>();

  function make(group: string, version: string, kind: string): KindSchema | undefined {
    const component = components.get(`${group}/${version}/${kind}`);
    const node = component === undefined ? undefined : compiler.component(component);
    const fields = node === undefined ? undefined : fieldsOf(node);
    if (node === undefined || fields === undefined) return undefined;
    const rules = rulesOf(group, version, kind);
    return {
      node,
      patch: patchSchemaOf(node),
      fields,
      checkTypes: (object) => typeProblem(node, object),
      unknownFields: (object) => unknownFields(node, object),
      prune: (object) => prune(node, object),
      applyDefaults: (object) => applyDefaults(node, object),
      validateCreate: (object) => validateNew(rules, object),
      validateUpdate: (next, live, subresource) => validateNext(rules, next, live, subresource),
      warnings: kindWarnings(group, kind),
    };
  }

  return {
    kind(group, version, kind) {
      const key = `${group}/${version}/${kind}`;
      if (!kinds.has(key)) kinds.set(key, make(group, version, kind));
      return kinds.get(key);
    },
  };
}

const builtin = once(() => {
  const { schemas } = readFacts("schemas") as Pick<SchemaDocument, "schemas">;
  return createSchemas({ schemas, goTypes: readFacts("go-types") as SchemaDocument["goTypes"] });
});

/** The schema of a built-in kind (`group` is empty for the core group); undefined for kinds that Kubernetes 1.33 does not know. */
export function kindSchema(group: string, version: string, kind: string): KindSchema | undefined {
  return builtin().kind(group, version, kind);
}
