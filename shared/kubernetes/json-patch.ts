import { cloneJson } from "./clone.ts";
import { deepEqual } from "./deep-equal.ts";
import { Obstacle, overcoming, PatchDoesNotApply } from "./json-patch-problem.ts";
import { jsonTypeOf } from "./schema/go-text.ts";
import { isJsonObject, type JsonObject } from "./schema/schema-node.ts";
import { StatusError } from "./status-error.ts";

const maximumOperations = 10_000;
/** kube-apiserver's bound on what the `copy` operations of one patch may add, in bytes of JSON: its limit for a request's body. */
const maximumCopiedBytes = 3 * 1024 * 1024;
const wholeNumber = /^[+-]?[0-9]+$/;

interface PatchOperation {
  readonly op?: string;
  readonly path?: string;
  readonly from?: string;
  readonly value?: unknown;
}

/**
 * A JSON patch (RFC 6902) applied to a document as kube-apiserver does with evanphx/json-patch: negative indices count from the end,
 * `test` of an absent value against null holds, an absent member is replaced as if it were there and copied as null. All operations or none; `document` is not changed, the answer shares with it what no
 * operation touched, and with the patch the values that it brings.
 * @throws StatusError `BadRequest` when it is no patch, `RequestEntityTooLarge` beyond 10,000 operations, `Invalid` when an operation does
 * not apply; kube-apiserver does not say which.
 */
export function applyJsonPatch(document: unknown, patch: unknown): unknown {
  const operations = parseOperations(patch);
  if (operations.length > maximumOperations) {
    const message = `The allowed maximum operations in a JSON patch is ${maximumOperations}, got ${operations.length}`;
    throw new StatusError("RequestEntityTooLarge", `Request entity too large: ${message}`);
  }
  const draft = new Draft(document);
  for (const operation of operations) applyOperation(draft, operation);
  return draft.root;
}

function applyOperation(draft: Draft, { op = "", path, from, value = null }: PatchOperation): void {
  if (path === undefined) throw new PatchDoesNotApply("obstacle", `${op} operation failed to decode path: missing value`);
  const at = <T>(work: () => T): T => overcoming(op, path, false, work);
  const source = (): string => {
    if (from !== undefined) return from;
    throw new PatchDoesNotApply("obstacle", `${op} operation failed to decode from: operation, missing from field: missing value`);
  };
  switch (op) {
    case "add":
      at(() => draft.add(path, value));
      return;
    case "remove":
      at(() => draft.remove(path));
      return;
    case "replace":
      at(() => draft.replace(path, value));
      return;
    case "test":
      if (!deepEqual(at(() => draft.read(path)) ?? null, value))
        throw new PatchDoesNotApply("test failed", `testing value ${path} failed: test failed`);
      return;
    case "move": {
      const given = source();
      const moved = overcoming(op, given, true, () => draft.remove(given));
      at(() => draft.add(path, moved));
      return;
    }
    case "copy": {
      const given = source();
      const copied = overcoming(op, given, true, () => draft.copy(given));
      at(() => draft.add(path, copied));
      return;
    }
    default:
      throw new PatchDoesNotApply("obstacle", `Unexpected kind: ${op}`);
  }
}

/** A document that is copied where it is written to, each of its lists and objects once. */
class Draft {
  root: unknown;
  private readonly owned = new Set<unknown>();
  private copiedBytes = 0;

  constructor(document: unknown) {
    this.root = document;
  }

  /** The value, `undefined` when only its last step is absent. */
  read(path: string): unknown {
    if (path === "") return this.root;
    const { parent, key } = this.locate(path, false);
    return memberOf(parent, key);
  }

  add(path: string, value: unknown): void {
    const { parent, key } = this.locate(path, true);
    if (!Array.isArray(parent)) parent[key] = value;
    else if (key === "-") parent.push(value);
    else parent.splice(indexWithin(key, parent.length + 1, `value was not a proper array index: '${key}': `), 0, value);
  }

  replace(path: string, value: unknown): void {
    if (path === "") {
      if (typeof value !== "object" || value === null) throw new Obstacle("replace operation value must be object or array");
      this.root = value;
      return;
    }
    const { parent, key } = this.locate(path, true);
    setMember(parent, key, value);
  }

  remove(path: string): unknown {
    const { parent, key } = this.locate(path, true);
    if (Array.isArray(parent)) return parent.splice(indexWithin(key, parent.length), 1)[0];
    if (!Object.hasOwn(parent, key)) throw new Obstacle(`Unable to remove nonexistent key: ${key}: missing value`);
    const value = parent[key];
    delete parent[key];
    return value;
  }

  copy(from: string): unknown {
    const { parent, key } = this.locate(from, false);
    const value = memberOf(parent, key) ?? null;
    this.copiedBytes += JSON.stringify(value).length;
    if (this.copiedBytes > maximumCopiedBytes) {
      const why = `Unable to complete the copy, the accumulated size increase of copy is ${this.copiedBytes}, exceeding the limit ${maximumCopiedBytes}`;
      throw new PatchDoesNotApply("obstacle", why);
    }
    return cloneJson(value);
  }

  private locate(path: string, writes: boolean): { parent: JsonObject | unknown[]; key: string } {
    const steps = path.split("/");
    if (steps.length < 2) throw noPath();
    if (writes) this.root = this.own(this.root);
    let parent = containerOrRefuse(this.root);
    for (let i = 1; i < steps.length - 1; i++) {
      const step = unescapeStep(steps[i] ?? "");
      const held = stepInto(parent, step);
      const child = writes ? this.own(held) : held;
      if (writes && child !== held) setMember(parent, step, child);
      parent = containerOrRefuse(child);
    }
    return { parent, key: unescapeStep(steps.at(-1) ?? "") };
  }

  private own(value: unknown): unknown {
    if (typeof value !== "object" || value === null || this.owned.has(value)) return value;
    const copy = Array.isArray(value) ? [...value] : { ...value };
    this.owned.add(copy);
    return copy;
  }
}

function memberOf(parent: JsonObject | unknown[], key: string): unknown {
  if (Array.isArray(parent)) return parent[indexWithin(key, parent.length)];
  return Object.hasOwn(parent, key) ? parent[key] : undefined;
}

function stepInto(parent: JsonObject | unknown[], step: string): unknown {
  try {
    return memberOf(parent, step);
  } catch (error) {
    throw error instanceof Obstacle ? noPath() : error;
  }
}

function setMember(parent: JsonObject | unknown[], key: string, value: unknown): void {
  if (Array.isArray(parent)) parent[indexWithin(key, parent.length)] = value;
  else parent[key] = value;
}

/** The place that a step names in a list with this many; a negative one counts from the end. */
function indexWithin(step: string, places: number, problem = ""): number {
  const written = wholeNumber.test(step) ? Number(step) : Number.NaN;
  const index = written < 0 ? written + places : written;
  if (Number.isNaN(index)) throw new Obstacle(`${problem}strconv.Atoi: parsing ${JSON.stringify(step)}: invalid syntax`);
  if (!(index >= 0 && index < places)) throw new Obstacle(`Unable to access invalid index: ${written}: invalid index referenced`);
  return index;
}

/** `__proto__` is no property that could be set by assignment, so it is refused. */
function unescapeStep(step: string): string {
  if (step === "__proto__") throw noPath();
  return step.includes("~") ? step.replaceAll("~1", "/").replaceAll("~0", "~") : step;
}

function containerOrRefuse(value: unknown): JsonObject | unknown[] {
  if (Array.isArray(value) || isJsonObject(value)) return value;
  throw noPath();
}

const noPath = (): Obstacle => new Obstacle("missing value", true);

const known = new Set(["op", "path", "from", "value"]);

/** What a strict decoder has against the patch itself. */
export function unknownPatchFields(patch: readonly unknown[]): string[] {
  return patch.flatMap((operation, index) =>
    Object.keys(isJsonObject(operation) ? operation : {})
      .filter((field) => !known.has(field))
      .map((field) => `json patch unknown field "[${index}].${field}"`),
  );
}

function parseOperations(patch: unknown): readonly PatchOperation[] {
  if (patch === null) return [];
  if (!Array.isArray(patch)) throw undecodable(patch, "value of type []handlers.jsonPatchOp");
  for (const operation of patch) {
    if (!isJsonObject(operation)) throw undecodable(operation, "value of type handlers.jsonPatchOp");
    for (const field of ["op", "path", "from"]) {
      const value = operation[field];
      if (value !== undefined && typeof value !== "string") throw undecodable(value, `struct field jsonPatchOp.${field} of type string`);
    }
  }
  return patch;
}

function undecodable(value: unknown, target: string): StatusError {
  return new StatusError("BadRequest", `error decoding patch: json: cannot unmarshal ${jsonTypeOf(value)} into Go ${target}`);
}
