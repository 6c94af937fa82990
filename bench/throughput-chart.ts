import { goalOf, schedulerReference } from "./goals.ts";
import type { BarChart, BarGroup } from "./plot.ts";
import type { Results } from "./results.ts";

const titles: Readonly<Record<string, string>> = {
  "create-configmap": "creates",
  "get-configmap": "gets",
  "patch-configmap": "merge patches",
  "update-conflict": "patches of one object",
  "create-pod": "pod creates",
  "list-pod": "lists of 3,000 pods",
};
const series = ["Coracle", "kube-apiserver 1.33", "bare Node server"];
const listConcurrency = 2;

/** What a run reached a second, beside kube-apiserver and the bare server of the same run. */
export function throughputChart({ api = [], floor = [], reference: beside, scheduling, machine, commit }: Results): BarChart {
  const groups: BarGroup[] = [];
  for (const { operation, perSecond } of api) {
    const title = titles[operation];
    const goal = goalOf(operation, beside);
    if (title === undefined || goal === undefined) continue;
    const reference = goal.figure === "perSecond" ? goal.reference : (listConcurrency * 1000) / goal.reference;
    const bare = floor.find((measured) => measured.operation === operation);
    groups.push({
      title,
      bars: [
        { label: series[0] ?? "", value: perSecond, series: 0 },
        { label: series[1] ?? "", value: reference, series: 1 },
        ...(bare ? [{ label: series[2] ?? "", value: bare.perSecond, series: 2 }] : []),
      ],
    });
  }
  if (scheduling)
    groups.push({
      title: "pods scheduled",
      bars: [
        { label: "Coracle", value: scheduling.podsPerSecond, series: 0 },
        { label: "kube-scheduler 1.33", value: schedulerReference.podsPerSecond, series: 1 },
      ],
    });
  const where = beside ? "over etcd in the same run" : "with etcd 3.5, same requests, a machine of 2 cores";
  const note = `${machine}; commit ${commit}. kube-apiserver ${where}. Each group has its own scale.`;
  return { title: "Requests a second", note, series, groups };
}
