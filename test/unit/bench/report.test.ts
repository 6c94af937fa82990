import { describe, expect, test } from "vitest";
import { renderBarChart } from "../../../bench/plot.ts";
import { renderReport } from "../../../bench/report.ts";
import type { Results } from "../../../bench/results.ts";
import { throughputChart } from "../../../bench/throughput-chart.ts";

const operation = (name: string, perSecond: number, p50Ms: number, errors = 0) => ({
  operation: name,
  count: 3000,
  errors,
  firstError: errors > 0 ? "409 <conflict>" : "",
  perSecond,
  p50Ms,
  p99Ms: p50Ms * 2,
});
const results: Results = {
  machine: "a machine",
  commit: "abc",
  loadBefore: 0.1,
  client: "kbench (Go)",
  runs: 1,
  objects: 3000,
  api: [operation("create-configmap", 2300, 10), operation("get-configmap", 9000, 3, 1), operation("list-pod", 25, 70)],
  floor: [operation("create-configmap", 4600, 5)],
};
const lineOf = (text: string, start: string): string => text.split("\n").find((line) => line.startsWith(`| ${start}`)) ?? "";

describe("the report", () => {
  const text = renderReport(results);
  test("sets throughput beside its goal", () => expect(lineOf(text, "create-configmap")).toMatch(/2,300\/s.*2,259\/s \(3 ×\).*yes/));
  test("calls a goal missed when requests failed", () =>
    expect(lineOf(text, "get-configmap")).toMatch(/1 errors \(409 <conflict>\).*no +\|$/));
  test("holds lists to a latency", () => expect(lineOf(text, "list-pod")).toMatch(/p50 70\.0 ms.*p50 66\.0 ms.*no +\|$/));
  test("gives what was reached as a share of the floor", () => expect(lineOf(text, "floor")).toMatch(/ours 50 %.*70 % of the floor.*no/));
});

describe("the report beside a kube-apiserver of the same run", () => {
  const beside = { api: [operation("create-configmap", 500, 60), operation("list-pod", 5, 400)], startMs: 4000, residentMiB: 300 };
  const text = renderReport({ ...results, reference: beside });
  test("holds throughput to a multiple of what that reached", () =>
    expect(lineOf(text, "create-configmap")).toMatch(/2,300\/s.*1,500\/s \(3 ×\).*yes/));
  test("holds lists to a part of its latency", () => expect(lineOf(text, "list-pod")).toMatch(/p50 70\.0 ms.*p50 80\.0 ms.*yes/));
  test("keeps the known figure of what was not measured there", () => expect(lineOf(text, "get-configmap")).toMatch(/6,705\/s \(3 ×\)/));
  test("shows its figures", () => expect(lineOf(text, "kube-apiserver: start")).toMatch(/4,000 ms, 300 MiB/));
});

describe("the picture", () => {
  test("has one bar a figure, and escapes what it writes", () => {
    const svg = renderBarChart({ ...throughputChart(results), note: "a < b & c" });
    expect(svg.match(/<title>/g)).toHaveLength(7);
    expect(svg).toContain("a &lt; b &amp; c");
  });
});
