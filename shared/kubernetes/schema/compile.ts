import { type OpenApiSchema, referencedComponent, type SchemaDocument } from "./open-api.ts";
import type { FieldNode, SchemaNode, Shape, ZeroValue } from "./schema-node.ts";

const noFields: ReadonlyMap<string, FieldNode> = new Map();
const wellKnownShapes: Readonly<Record<string, Shape>> = {
  "io.k8s.apimachinery.pkg.apis.meta.v1.Time": "time",
  "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime": "microTime",
  "io.k8s.apimachinery.pkg.api.resource.Quantity": "quantity",
  "io.k8s.apimachinery.pkg.util.intstr.IntOrString": "intOrString",
  "io.k8s.apimachinery.pkg.runtime.RawExtension": "any",
  "io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1": "any",
};

/** Compiles components of a document into nodes, each at its first use. */
export interface Compiler {
  component(name: string): SchemaNode | undefined;
  schema(schema: OpenApiSchema, goType?: string): SchemaNode;
}

/**
 * `goTypes` of the document decide how zero values are printed and how the decoder names types. A component without an entry there
 * (a custom resource) keeps every value that is set and prints nothing that is not.
 */
export function createCompiler(document: SchemaDocument): Compiler {
  const compiled = new Map<string, SchemaNode>();

  function component(name: string): SchemaNode | undefined {
    const known = compiled.get(name);
    if (known !== undefined) return known;
    const schema = document.schemas[name];
    if (schema === undefined) return undefined;
    const node = compileSchema(schema, goNameOf(name), name);
    compiled.set(name, node);
    return node;
  }

  function compile(schema: OpenApiSchema, goType = ""): SchemaNode {
    const reference = referencedComponent(schema);
    const referenced = reference === undefined ? undefined : component(reference);
    if (referenced !== undefined) {
      const mapType = schema["x-kubernetes-map-type"];
      if (mapType === undefined && (goType === "" || goType === referenced.goType)) return referenced;
      return {
        ...referenced,
        goType: goType === "" ? referenced.goType : goType,
        atomicMap: mapType === undefined ? referenced.atomicMap : mapType === "atomic",
      };
    }
    return compileSchema(schema, goType, "");
  }

  function compileSchema(schema: OpenApiSchema, goType: string, name: string): SchemaNode {
    const shape = wellKnownShapes[name] ?? shapeOf(schema, name);
    const fields = shape === "object" ? lazily(() => compileFields(schema, name)) : () => noFields;
    const { minimum, maximum } = boundsOf(schema.format);
    return {
      shape,
      goType: goType === "" ? plainGoType(schema, shape) : goType,
      component: name,
      fields,
      printed: lazily(() => [...fields().values()].filter((field) => field.zero === "printed")),
      element: compileElement(schema, shape, goType),
      minimum,
      maximum,
      preservesUnknown: schema["x-kubernetes-preserve-unknown-fields"] === true,
      embedded: schema["x-kubernetes-embedded-resource"] === true,
      nullable: schema.nullable === true,
      listType: listTypeOf(schema["x-kubernetes-list-type"]),
      listMapKeys: schema["x-kubernetes-list-map-keys"] ?? [],
      atomicMap: schema["x-kubernetes-map-type"] === "atomic",
    };
  }

  function compileElement(schema: OpenApiSchema, shape: Shape, goType: string): SchemaNode | undefined {
    if (shape === "list") return compile(schema.items ?? {}, goType.startsWith("[]") ? goType.slice(2) : "");
    if (shape !== "map") return undefined;
    const values = schema.additionalProperties;
    return compile(typeof values === "object" ? values : {}, goType.startsWith("map[string]") ? goType.slice("map[string]".length) : "");
  }

  function compileFields(schema: OpenApiSchema, name: string): ReadonlyMap<string, FieldNode> {
    const declared = document.goTypes[name];
    const fields = new Map<string, FieldNode>();
    for (const [key, property] of Object.entries(schema.properties ?? {})) {
      const declaration = declared?.[key] ?? "?*";
      const pointer = declaration.replace("?", "").startsWith("*");
      const node = compile(property, declaration.replace(/^\??\*?/, ""));
      const restated = declared !== undefined && !pointer && restatesZero(property.default);
      fields.set(key, {
        name: key,
        node,
        zero: keptEmpty.has(`${name}.${key}`) ? "kept" : zeroOf(declaration, pointer, node),
        default: restated ? undefined : property.default,
        published: property.default,
        patchStrategies: property["x-kubernetes-patch-strategy"]?.split(",") ?? [],
        patchMergeKey: property["x-kubernetes-patch-merge-key"],
      });
    }
    return fields;
  }

  return { component, schema: compile };
}

function lazily<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

function shapeOf(schema: OpenApiSchema, name: string): Shape {
  if (schema["x-kubernetes-int-or-string"] === true || schema.format === "int-or-string") return "intOrString";
  if (schema.type === "object") {
    if (schema.properties !== undefined || schema["x-kubernetes-preserve-unknown-fields"] === true) return "object";
    if (schema.additionalProperties !== undefined && schema.additionalProperties !== false) return "map";
    return "object";
  }
  if (schema.type === "array") return "list";
  if (schema.type === "string") return schema.format === "byte" && name === "" ? "bytes" : "string";
  if (schema.type === "integer") return "integer";
  if (schema.type === "number") return "number";
  if (schema.type === "boolean") return "boolean";
  return "any";
}

/** Lists whose being empty is not the same as their being absent: it is refused. */
const keptEmpty = new Set(["io.k8s.api.autoscaling.v2.HPAScalingRules.policies"]);

/** Structs have no zero value in Go's encoder: without a pointer they are printed whatever they hold. */
function zeroOf(declaration: string, pointer: boolean, node: SchemaNode): ZeroValue {
  if (pointer) return "kept";
  const struct = !["string", "integer", "number", "boolean", "bytes", "list", "map"].includes(node.shape);
  if (struct) return "printed";
  return declaration.startsWith("?") ? "omitted" : "printed";
}

function restatesZero(value: unknown): boolean {
  if (value === "" || value === 0 || value === false) return true;
  return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}

function boundsOf(format: string | undefined): { minimum: number; maximum: number } {
  if (format === "int32") return { minimum: -(2 ** 31), maximum: 2 ** 31 - 1 };
  return { minimum: -(2 ** 63), maximum: 2 ** 63 };
}

function listTypeOf(text: string | undefined): "atomic" | "set" | "map" | undefined {
  return text === "atomic" || text === "set" || text === "map" ? text : undefined;
}

function plainGoType(schema: OpenApiSchema, shape: Shape): string {
  if (shape === "integer") return schema.format ?? "int64";
  if (shape === "boolean") return "bool";
  if (shape === "number") return "float64";
  if (shape === "bytes") return "[]uint8";
  return shape === "string" ? "string" : "";
}

/** `io.k8s.api.core.v1.PodSpec` → `v1.PodSpec`. */
function goNameOf(component: string): string {
  return component.split(".").slice(-2).join(".");
}
