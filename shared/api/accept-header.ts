/** One clause of an Accept header. */
export interface AcceptClause {
  readonly type: string;
  readonly subtype: string;
  readonly parameters: ReadonlyMap<string, string>;
  readonly quality: number;
}

/** The clauses of an Accept header, the ones preferred first, as kube-apiserver's parser (goautoneg) reads and orders them; what it cannot read is left out. */
export function parseAccept(header: string): readonly AcceptClause[] {
  const clauses: AcceptClause[] = [];
  for (const part of header.split(",")) {
    const clause = parseClause(part);
    if (clause) insert(clauses, clause);
  }
  return clauses;
}

function parseClause(part: string): AcceptClause | undefined {
  const [range = "", ...rest] = part.split(";");
  const [type = "", subtype = "", ...more] = range.split("/").map(trim);
  if (more.length > 0 || (subtype === "" && type !== "*")) return undefined;
  const parameters = new Map<string, string>();
  let quality = 1;
  for (const parameter of rest) {
    const [name = "", value = "", ...others] = parameter.split("=").map(trim);
    if (value === "" || others.length > 0) continue;
    if (name === "q") quality = Number(value) || 0;
    else parameters.set(name, value);
  }
  return { type, subtype: subtype === "" ? "*" : subtype, parameters, quality };
}

const trim = (text: string): string => text.replace(/^ +| +$/g, "");

/** Go's sort of so few elements: each moves ahead as long as it is preferred to the one before it. */
function insert(clauses: AcceptClause[], clause: AcceptClause): void {
  let at = clauses.length;
  for (; at > 0; at--) {
    const before = clauses[at - 1];
    if (!before || !isPreferred(clause, before)) break;
  }
  clauses.splice(at, 0, clause);
}

const isPreferred = (a: AcceptClause, b: AcceptClause): boolean =>
  a.quality > b.quality || (a.type !== "*" && b.type === "*") || (a.subtype !== "*" && b.subtype === "*");
