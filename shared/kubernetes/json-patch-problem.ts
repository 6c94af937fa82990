import { StatusError } from "./status-error.ts";

/** A patch that cannot be applied, or a `test` in it that does not hold. kube-apiserver tells its clients no more than that; policies and webhooks get `detail`. */
export class PatchDoesNotApply extends StatusError {
  readonly kind: "obstacle" | "test failed";
  /** In the words of evanphx/json-patch. */
  readonly detail: string;
  constructor(kind: PatchDoesNotApply["kind"], detail: string) {
    super("Invalid", "the server rejected our request due to an error in our request", {});
    this.kind = kind;
    this.detail = detail;
  }
}

/** Why a step of a pointer leads nowhere. */
export class Obstacle extends Error {
  /** Not even the place where the value would be is there. */
  readonly isPathMissing: boolean;
  constructor(message: string, isPathMissing = false) {
    super(message);
    this.isPathMissing = isPathMissing;
  }
}

const missingPath: Readonly<Record<string, (path: string) => string>> = {
  add: (path) => `add operation does not apply: doc is missing path: ${JSON.stringify(path)}`,
  remove: (path) => `remove operation does not apply: doc is missing path: ${JSON.stringify(path)}`,
  replace: (path) => `replace operation does not apply: doc is missing path: ${path}`,
  test: (path) => `test operation does not apply: is missing path: ${path}`,
  move: (path) => `move operation does not apply: doc is missing destination path: ${path}`,
  copy: (path) => `copy operation does not apply: doc is missing destination path: ${path}`,
};

/** Does a part of an operation; what is in its way is told as the operation's problem. `from`: at the place it takes from. @throws PatchDoesNotApply */
export function overcoming<T>(op: string, path: string, from: boolean, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof Obstacle)) throw error;
    throw new PatchDoesNotApply("obstacle", `${described(op, path, from, error)}: ${error.message}`);
  }
}

function described(op: string, path: string, from: boolean, { isPathMissing }: Obstacle): string {
  if (isPathMissing) return from ? `${op} operation does not apply: doc is missing from path: ${path}` : (missingPath[op]?.(path) ?? op);
  if (op === "replace") return `replace operation does not apply: doc is missing key: ${path}`;
  if (op === "copy") return from ? `error in copy for from: '${path}'` : "error while adding value during copy";
  return `error in ${op} for path: '${op === "move" && from ? path.slice(path.lastIndexOf("/") + 1) : path}'`;
}
