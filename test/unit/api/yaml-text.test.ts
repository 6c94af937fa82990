import { describe, expect, it } from "vitest";
import { parseYamlText } from "../../../shared/api/yaml-text.ts";

describe("YAML bodies", () => {
  it("are read as YAML 1.1, with merge keys and aliases", () => {
    expect(parseYamlText("a: yes\nb: 0o17\nc: [1, x]\nd: |\n  [\n  {\n")).toEqual({ a: true, b: "0o17", c: [1, "x"], d: "[\n{\n" });
    expect(parseYamlText("p: &p {a: 1}\nq: {<<: *p, b: 2}\nr: *p")).toEqual({ p: { a: 1 }, q: { a: 1, b: 2 }, r: { a: 1 } });
    expect(parseYamlText('{"a":[true,null,1.5]}')).toEqual({ a: [true, null, 1.5] });
  });

  it("that use a key twice or hold several documents are refused", () => {
    const repeated: string[] = [];
    expect(parseYamlText("a: 1\nb: 2\na: 3", (problem) => repeated.push(problem))).toEqual({ a: 3, b: 2 });
    expect(repeated).toEqual(['line 3: key "a" already set in map']);
    expect(() => parseYamlText("a: 1\n---\nb: 2")).toThrow(/multiple documents/);
  });

  it("that are too deep are refused in a moment, however they are nested", () => {
    const texts = {
      flow: "[".repeat(100_000),
      "flow of maps": "{a: ".repeat(50_000),
      sequences: "- ".repeat(50_000),
      keys: "? ".repeat(50_000),
      indentation: Array.from({ length: 1000 }, (_, depth) => `${" ".repeat(depth)}a:`).join("\n"),
      "sequences by indentation": Array.from({ length: 1000 }, (_, depth) => `${" ".repeat(depth)}-`).join("\n"),
    };
    const startedAt = performance.now();
    for (const [title, text] of Object.entries(texts)) expect(() => parseYamlText(text), title).toThrow(/exceeded max depth/);
    expect(performance.now() - startedAt).toBeLessThan(2000);
  });

  it("of a usual depth are not: wide ones, and text that looks like brackets", () => {
    const deep = Array.from({ length: 60 }, (_, depth) => `${"  ".repeat(depth)}a:`).join("\n");
    expect(parseYamlText(deep)).toBeDefined();
    const wide = Array.from({ length: 3000 }, (_, index) => `k${index}:\n    - a: "["\n      b: |\n        [[[{\n    - x`).join("\n");
    expect(Object.keys(Object(parseYamlText(wide)))).toHaveLength(3000);
  });

  it("that multiply by their aliases, or take too long, are refused", () => {
    const names = "abcdefghij";
    const bomb = [..."bcdefghij"].map((name, index) => `${name}: &${name} [${Array(9).fill(`*${names[index]}`)}]`);
    expect(() => parseYamlText(["a: &a [x,x,x,x,x,x,x,x,x]", ...bomb].join("\n"))).toThrow(/alias/);
    expect(() => parseYamlText("- a: 1\n".repeat(100_000))).toThrow(/tokens/);
  });
});
