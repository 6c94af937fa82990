/** One nft table of family `ip` as data, so that two of them can be compared and only the difference is sent to the kernel. */
export interface Ruleset {
  readonly table: string;
  readonly chains: ReadonlyMap<string, Chain>;
  readonly sets: ReadonlyMap<string, NftSet>;
}

export interface Chain {
  /** `type nat hook prerouting priority -100 ;` for a chain that the kernel enters by itself. */
  readonly hook?: string;
  readonly rules: readonly string[];
}

export interface NftSet {
  readonly kind: "set" | "map";
  /** `type ipv4_addr ;` and flags. A set whose type changes must change its name. */
  readonly type: string;
  /** Key to value of a map, key to the empty string of a set. `dynamic`: the kernel fills it, and it is never emptied. */
  readonly elements: ReadonlyMap<string, string> | "dynamic";
}

/** What the kernel holds as far as is known; `undefined` stands for content that is not known and is replaced. */
export interface KnownTable {
  readonly chains: ReadonlyMap<string, Chain | undefined>;
  readonly sets: ReadonlyMap<string, Pick<NftSet, "kind"> & { readonly elements: NftSet["elements"] | undefined }>;
}

export const emptyTable: KnownTable = { chains: new Map(), sets: new Map() };

/**
 * The commands for one `nft -f` that lead from `known` to `next`. nft applies a file as one transaction: no packet ever sees a part of it.
 * Empty when nothing differs. Sets that the kernel fills (session affinity) keep their content.
 */
export function transactionOf(known: KnownTable, next: Ruleset): string {
  const lines = [
    ...newSets(known, next),
    ...newChains(known, next),
    ...changedChains(known, next),
    ...changedElements(known, next),
    ...removals(known, next),
  ];
  return lines.length === 0 ? "" : `add table ip ${next.table}\n${lines.join("\n")}\n`;
}

/** The commands that put `next` in the place of whatever the table holds, in one transaction. */
export function replacementOf(next: Ruleset): string {
  return `add table ip ${next.table}\ndelete table ip ${next.table}\nadd table ip ${next.table}\n${transactionOf(emptyTable, next)}`;
}

function* newSets(known: KnownTable, { table, sets }: Ruleset): Generator<string> {
  for (const [name, set] of sets) {
    if (!known.sets.has(name)) yield `add ${set.kind} ip ${table} ${name} { ${set.type} }`;
  }
}

function* newChains(known: KnownTable, { table, chains }: Ruleset): Generator<string> {
  for (const [name, { hook }] of chains) {
    if (!known.chains.has(name)) yield `add chain ip ${table} ${name}${hook === undefined ? "" : ` { ${hook} }`}`;
  }
}

function* changedChains(known: KnownTable, { table, chains }: Ruleset): Generator<string> {
  for (const [name, { rules }] of chains) {
    const before = known.chains.get(name);
    if (before !== undefined && sameRules(before.rules, rules)) continue;
    if (known.chains.has(name)) yield `flush chain ip ${table} ${name}`;
    for (const rule of rules) yield `add rule ip ${table} ${name} ${rule}`;
  }
}

function* changedElements(known: KnownTable, { table, sets }: Ruleset): Generator<string> {
  for (const [name, { kind, elements }] of sets) {
    if (elements === "dynamic") continue;
    const set = known.sets.get(name);
    if (set !== undefined && set.elements === undefined) yield `flush ${kind} ip ${table} ${name}`;
    const before = set?.elements === undefined || set.elements === "dynamic" ? new Map<string, string>() : set.elements;
    const removed = [...before].filter(([key, value]) => elements.get(key) !== value).map(([key]) => key);
    if (removed.length > 0) yield `delete element ip ${table} ${name} { ${removed.join(", ")} }`;
    const added = [...elements].filter(([key, value]) => before.get(key) !== value);
    if (added.length > 0) yield `add element ip ${table} ${name} { ${added.map(elementText).join(", ")} }`;
  }
}

/** First the rules, which refer to sets and chains, then the sets, whose elements refer to chains, then the chains. */
function* removals(known: KnownTable, { table, chains, sets }: Ruleset): Generator<string> {
  const oldChains = [...known.chains.keys()].filter((name) => !chains.has(name));
  for (const name of oldChains) yield `flush chain ip ${table} ${name}`;
  for (const [name, { kind }] of known.sets) {
    if (!sets.has(name)) yield `delete ${kind} ip ${table} ${name}`;
  }
  for (const name of oldChains) yield `delete chain ip ${table} ${name}`;
}

const elementText = ([key, value]: readonly [string, string]): string => (value === "" ? key : `${key} : ${value}`);

const sameRules = (a: readonly string[], b: readonly string[]): boolean =>
  a === b || (a.length === b.length && a.every((rule, index) => rule === b[index]));
