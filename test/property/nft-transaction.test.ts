import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { emptyTable, type NftSet, type Ruleset, transactionOf } from "../../agent/network/ruleset.ts";

/** A table as the kernel would hold it after the commands; throws where the kernel would refuse one. */
class Table {
  readonly chains = new Map<string, string[]>();
  readonly sets = new Map<string, Map<string, string>>();

  run(script: string): void {
    for (const line of script.split("\n").filter((one) => one !== "")) this.#command(line.split(" "), line);
    const targets = [...[...this.chains.values()].flat(), ...[...this.sets.values()].flatMap((set) => [...set.values()])];
    for (const target of targets.flatMap((text) => /goto (\S+)/.exec(text)?.[1] ?? [])) {
      if (!this.chains.has(target)) throw new Error(`no chain ${target}`);
    }
  }

  #command([verb = "", kind = "", , , name = "", ...rest]: string[], line: string): void {
    const elements = rest.slice(1, -1).join(" ").split(", ");
    switch (`${verb} ${kind}`) {
      case "add table":
        return;
      case "add set":
      case "add map":
        this.#once(this.sets, name, new Map());
        return;
      case "add chain":
        this.#once(this.chains, name, []);
        return;
      case "add rule":
        found(this.chains, name).push(rest.join(" "));
        return;
      case "flush chain":
        found(this.chains, name).length = 0;
        return;
      case "flush set":
      case "flush map":
        found(this.sets, name).clear();
        return;
      case "delete chain":
        if (found(this.chains, name).length > 0 || this.#isReferred(name)) throw new Error(`chain ${name} is in use`);
        this.chains.delete(name);
        return;
      case "delete set":
      case "delete map":
        found(this.sets, name);
        this.sets.delete(name);
        return;
      case "add element":
        for (const element of elements) {
          const [key = "", value = ""] = element.split(" : ");
          this.#once(found(this.sets, name), key, value);
        }
        return;
      case "delete element":
        for (const key of elements) if (!found(this.sets, name).delete(key)) throw new Error(`no element ${key}`);
        return;
      default:
        throw new Error(`unknown command: ${line}`);
    }
  }

  #isReferred(chain: string): boolean {
    const texts = [...[...this.chains.values()].flat(), ...[...this.sets.values()].flatMap((set) => [...set.values()])];
    return texts.includes(`goto ${chain}`);
  }

  #once<T>(into: Map<string, T>, name: string, value: T): void {
    if (into.has(name)) throw new Error(`${name} exists`);
    into.set(name, value);
  }
}

function found<T>(map: Map<string, T>, name: string): T {
  const value = map.get(name);
  if (value === undefined) throw new Error(`${name} does not exist`);
  return value;
}

const chainNames = ["a", "b", "c", "d", "e"];
const rulesets: fc.Arbitrary<Ruleset> = fc.uniqueArray(fc.constantFrom(...chainNames), { minLength: 1 }).chain((names) => {
  const verdict = fc.constantFrom("drop", ...names.map((name) => `goto ${name}`));
  const set: fc.Arbitrary<NftSet> = fc
    .dictionary(fc.constantFrom("k1", "k2", "k3", "k4"), verdict)
    .map((elements) => ({ kind: "map", type: "type x ;", elements: new Map(Object.entries(elements)) }));
  return fc.record({
    table: fc.constant("t"),
    chains: fc
      .tuple(...names.map((name) => fc.array(verdict, { maxLength: 3 }).map((rules) => [name, { rules }] as const)))
      .map((chains) => new Map(chains)),
    sets: fc.dictionary(fc.constantFrom("s1", "s2"), set).map((sets) => new Map(Object.entries(sets))),
  });
});

const plain = ({ chains, sets }: Ruleset) => ({
  chains: new Map([...chains].map(([name, { rules }]) => [name, rules])),
  sets: new Map([...sets].map(([name, { elements }]) => [name, elements])),
});
const shown = ({ chains, sets }: Table) => ({ chains, sets });

describe("transactionOf", () => {
  it("leads from any ruleset to any other", () => {
    fc.assert(
      fc.property(fc.array(rulesets, { minLength: 1, maxLength: 5 }), (history) => {
        const table = new Table();
        let known: Parameters<typeof transactionOf>[0] = emptyTable;
        for (const ruleset of history) {
          table.run(transactionOf(known, ruleset));
          known = ruleset;
          expect(shown(table)).toEqual(plain(ruleset));
        }
      }),
    );
  });

  it("takes over a table of which only the names are known", () => {
    fc.assert(
      fc.property(rulesets, rulesets, (before, after) => {
        const table = new Table();
        table.run(transactionOf(emptyTable, before));
        const names = {
          chains: new Map([...before.chains.keys()].map((name) => [name, undefined])),
          sets: new Map([...before.sets].map(([name, { kind }]) => [name, { kind, elements: undefined }])),
        };
        table.run(transactionOf(names, after));
        expect(shown(table)).toEqual(plain(after));
      }),
    );
  });

  it("is empty when nothing differs", () => {
    fc.assert(fc.property(rulesets, (ruleset) => transactionOf(ruleset, ruleset) === ""));
  });
});
