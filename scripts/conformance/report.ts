import { z } from "zod";

const spec = z.object({
  ContainerHierarchyTexts: z.array(z.string()).nullish(),
  LeafNodeType: z.string(),
  LeafNodeText: z.string(),
  State: z.string(),
  RunTime: z.number(),
  Failure: z.object({ Message: z.string().optional() }).nullish(),
});
const report = z.tuple([z.object({ SpecReports: z.array(spec) })]);

export interface SpecResult {
  readonly sig: string;
  readonly name: string;
  readonly passed: boolean;
  readonly seconds: number;
  /** The first lines of why it failed. */
  readonly failure: string;
}

const failureLength = 300;

/** What ran, from ginkgo's JSON report. */
export function readReport(json: string): SpecResult[] {
  const [{ SpecReports: specs }] = report.parse(JSON.parse(json));
  return specs
    .filter(({ LeafNodeType, State }) => LeafNodeType === "It" && State !== "skipped" && State !== "pending")
    .map(({ ContainerHierarchyTexts, LeafNodeText, State, RunTime, Failure }) => {
      const name = [...(ContainerHierarchyTexts ?? []), LeafNodeText].join(" ");
      return {
        sig: /\[(sig-[a-z-]+)\]/.exec(name)?.[1] ?? "",
        name: name.replace(/^\[sig-[a-z-]+\] /, ""),
        passed: State === "passed",
        seconds: RunTime / 1e9,
        failure: (Failure?.Message ?? "").slice(0, failureLength).replaceAll("\n", " "),
      };
    });
}

/** A row a special interest group, then each test that failed. */
export function renderConformance(results: readonly SpecResult[]): string {
  const sigs = [...new Set(results.map(({ sig }) => sig))].sort();
  const rows = sigs.map((sig) => {
    const of = results.filter((result) => result.sig === sig);
    return `| ${sig} | ${of.filter(({ passed }) => passed).length} | ${of.length} |`;
  });
  const failed = results.filter(({ passed }) => !passed).sort((a, b) => (a.sig + a.name < b.sig + b.name ? -1 : 1));
  return [
    "| | passed | run |",
    "|---|---|---|",
    ...rows,
    ...failed.map(({ sig, name, seconds, failure }) => `\n${sig} ${name} (${Math.round(seconds)} s)\n    ${failure}`),
  ].join("\n");
}
