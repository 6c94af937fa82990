import { startContainer } from "../../server/container/host.ts";
import { readContainerSettings } from "../../server/container/settings.ts";
import { createHttp } from "../../test/e2e/http.ts";
import { createCluster, createFunctionBed } from "../../test/unit/functions/function-bed.ts";
import { MeteredTable } from "./metered-table.ts";
import { type Bill, hoursInMonth, nothing, prices } from "./prices.ts";

/** A network load balancer in two zones asks each every ten seconds. */
const probeEveryMs = 5000;
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** What a container asks of the table in an hour in which so many watch one cluster and nothing is written; measured for some seconds. */
export async function heldWatches(watches: number, seconds: number): Promise<Bill> {
  let table: MeteredTable | undefined;
  const bed = createFunctionBed({
    confined: false,
    tableOf(memory) {
      table ??= new MeteredTable(memory, memory.items);
      return table;
    },
  });
  const made = await createCluster(bed, bed.instance());
  const settings = readContainerSettings({ CORACLE_PORT: "0", CORACLE_SURFACES: "cluster", CORACLE_LOOPS: "off" });
  const container = await startContainer(settings, bed.ports()());
  const prober = createHttp(container.url, container.caPem, "none");
  const client = createHttp(`${container.url}/clusters/${made.id}`, container.caPem, made.credentials.token);
  let events = 0;
  // On a busy machine the container's end may cut some; what is measured lies before.
  const watching = Array.from({ length: watches }, async () => {
    for await (const _ of client.lines("/api/v1/namespaces/default/configmaps?watch=true&allowWatchBookmarks=true")) events++;
  });
  const ended = Promise.allSettled(watching);
  // Each begins with what there is.
  while (events < watches) await sleep(100);
  let probe: Promise<unknown> = Promise.resolve();
  const probing = setInterval(() => {
    probe = prober.send("/readyz");
  }, probeEveryMs);
  await sleep(5000);
  const before = { read: table?.readUnits ?? 0, write: table?.writeUnits ?? 0 };
  await sleep(seconds * 1000);
  const hours = seconds / 3600;
  const bill = {
    ...nothing,
    readUnits: ((table?.readUnits ?? 0) - before.read) / hours,
    writeUnits: ((table?.writeUnits ?? 0) - before.write) / hours,
  };
  clearInterval(probing);
  await probe;
  await container.close();
  await ended;
  for (const each of [client, prober]) each.close();
  return bill;
}

/** A month of `infra/stacks/container-stack.ts` with one task, in dollars, beside what it asks of the table. */
export function containerMonth({ cpu, memoryMb, watches }: { cpu: number; memoryMb: number; watches: number }): number {
  const task = prices.vcpuHours * (cpu / 1024) + prices.memoryGbHours * (memoryMb / 1024);
  // The task's, and the balancer's in each of two zones.
  const addresses = 3 * prices.publicAddressHours;
  const balancer = prices.balancerHours + prices.balancerUnitHours * (watches / prices.connectionsOfUnit);
  return (task + addresses + balancer) * hoursInMonth;
}
