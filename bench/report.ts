import { clusterWithinMs, floorShare, goalOf, residentMiB, schedulerReference, startWithinMs } from "./goals.ts";
import type { Measurement } from "./measurement.ts";
import type { ReferenceFigures } from "./reference.ts";
import type { Results } from "./results.ts";

interface Line {
  readonly what: string;
  readonly measured: string;
  readonly goal: string;
  readonly met: boolean | undefined;
}

const number = (value: number): string => (value >= 100 ? Math.round(value).toLocaleString("en-US") : value.toFixed(1));
const ms = (value: number): string => `${number(value)} ms`;
const perSecond = (value: number): string => `${number(value)}/s`;

/** The figures beside their goals, as a table in plain text that is Markdown too. */
export function renderReport(results: Results): string {
  const lines = [
    ...(results.api ?? []).map((measured) => operationLine(measured, results.reference)),
    ...floorLines(results),
    ...referenceLines(results),
    ...startLines(results),
    ...clusterLines(results),
    ...schedulingLines(results),
  ];
  const rows = [
    ["what", "measured", "goal", "met"],
    ...lines.map(({ what, measured, goal, met }) => [what, measured, goal, met === undefined ? "" : met ? "yes" : "no"]),
  ];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...rows.map((row) => (row[column] ?? "").length)));
  const [head = [], ...body] = rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)));
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  const rule = line(widths.map((width) => "-".repeat(width)));
  const { machine, commit, loadBefore, client, runs } = results;
  const title = `${machine}; commit ${commit}; load before ${loadBefore.toFixed(1)}; client ${client}; medians of ${runs} runs`;
  return [title, "", line(head), rule, ...body.map(line)].join("\n");
}

function operationLine(measured: Measurement, beside: ReferenceFigures | undefined): Line {
  const { operation, errors } = measured;
  const goal = goalOf(operation, beside);
  const what = `${operation} × ${measured.count}`;
  const figures = figuresOf(measured);
  if (!goal) return { what, measured: figures, goal: "", met: errors > 0 ? false : undefined };
  const { times, wanted, figure } = goal;
  const met = errors === 0 && (figure === "perSecond" ? measured.perSecond >= wanted : measured.p50Ms <= wanted);
  return {
    what,
    measured: figures,
    goal: figure === "perSecond" ? `${perSecond(wanted)} (${times} ×)` : `p50 ${ms(wanted)} (${times} ×)`,
    met,
  };
}

function figuresOf({ perSecond: rate, p50Ms, p99Ms, errors, firstError }: Measurement): string {
  const failures = errors > 0 ? `, ${errors} errors (${firstError})` : "";
  return `${perSecond(rate)}, p50 ${ms(p50Ms)}, p99 ${ms(p99Ms)}${failures}`;
}

function floorLines({ api = [], floor = [] }: Results): Line[] {
  return floor.map(({ operation, perSecond: bare }) => {
    const ours = api.find((measured) => measured.operation === operation)?.perSecond ?? 0;
    const share = bare > 0 ? ours / bare : 0;
    const goal = `${floorShare * 100} % of the floor`;
    return {
      what: `floor: ${operation}`,
      measured: `${perSecond(bare)}; ours ${Math.round(share * 100)} %`,
      goal,
      met: share >= floorShare,
    };
  });
}

function referenceLines({ reference }: Results): Line[] {
  if (!reference) return [];
  const { api, startMs, residentMiB: resident } = reference;
  const nothing = { goal: "", met: undefined };
  return [
    ...api.map((measured) => ({ ...nothing, what: `kube-apiserver: ${measured.operation}`, measured: figuresOf(measured) })),
    { ...nothing, what: "kube-apiserver: start, resident when idle", measured: `${ms(startMs)}, ${resident} MiB` },
  ];
}

function startLines({ start, afterApiMiB }: Results): Line[] {
  if (!start) return [];
  const goal = ms(startWithinMs);
  return [
    { what: "start, fresh data directory", measured: ms(start.firstMs), goal, met: start.firstMs <= startWithinMs },
    { what: "start over existing state", measured: ms(start.againMs), goal, met: start.againMs <= startWithinMs },
    { what: "resident when idle", measured: `${start.idleMiB} MiB`, goal: "", met: undefined },
    ...(afterApiMiB === undefined
      ? []
      : [{ what: "resident after the operations above", measured: `${afterApiMiB} MiB`, goal: "", met: undefined }]),
  ];
}

function clusterLines({ clusters }: Results): Line[] {
  if (!clusters) return [];
  const { created, firstHundredP50Ms: first, lastHundredP50Ms: last, p99Ms, residentMiB: resident, restartMs } = clusters;
  const goal = `p50 ${ms(clusterWithinMs)}`;
  return [
    { what: "cluster create, first 100", measured: `p50 ${ms(first)}`, goal, met: first <= clusterWithinMs },
    { what: `cluster create, last 100 of ${created}`, measured: `p50 ${ms(last)}, p99 ${ms(p99Ms)}`, goal, met: last <= clusterWithinMs },
    { what: `resident, ${created} idle clusters`, measured: `${resident} MiB`, goal: `${residentMiB} MiB`, met: resident < residentMiB },
    { what: `start, ${created} idle clusters`, measured: ms(restartMs), goal: ms(startWithinMs), met: restartMs <= startWithinMs },
  ];
}

function schedulingLines({ scheduling }: Results): Line[] {
  if (!scheduling) return [];
  const { nodes, pods, seconds, podsPerSecond } = scheduling;
  const wanted = schedulerReference.podsPerSecond * schedulerReference.times;
  const what = `scheduling, ${nodes} nodes × ${pods} pods`;
  const measured = `${perSecond(podsPerSecond)} (${seconds.toFixed(2)} s)`;
  return [{ what, measured, goal: `${perSecond(wanted)} (${schedulerReference.times} ×)`, met: podsPerSecond >= wanted }];
}
