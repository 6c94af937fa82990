import { describe, expect, test } from "vitest";
import { functionClock } from "../../../functions/clock.ts";
import { createFakeClock } from "../controllers/fake-clock.ts";
import { createCluster, createFunctionBed, drainStream, type Instance } from "./function-bed.ts";
import { machine } from "./machine.ts";

/** A cluster with two nodes that call every half minute, on a clock that is moved by hand. */
async function clusterWithNodes() {
  const clock = createFakeClock(Date.UTC(2026, 4, 1, 10));
  const bed = createFunctionBed({ clock: { now: clock.now, after: functionClock.after } });
  const fn = bed.instance();
  const made = await createCluster(bed, fn);
  const token: string = made.credentials.token;
  const credentials: Record<string, string> = {};
  const states: Record<string, object> = {};
  for (const name of ["n1", "n2"]) {
    const answer = await fn.agent("POST", "/agent/v1/join", "", { token: made.join.token, node: machine(name) });
    credentials[name] = answer.json().credential;
  }
  const speak = async (name: string, by: Instance = fn): Promise<void> => {
    const { state, sendNode } = (await by.agent("POST", "/agent/v1/sync", credentials[name] ?? "", { marks: {}, ...states[name] })).json();
    states[name] = { state, ...(sendNode && { node: machine(name) }) };
  };
  /** So many minutes, in which these nodes speak and the schedule has its rounds. */
  const minutes = async (count: number, speaking: readonly string[], by: Instance = fn): Promise<void> => {
    for (let half = 0; half < 2 * count; half++) {
      clock.advance(30_000);
      for (const name of speaking) await speak(name, by);
      await drainStream(bed, by);
      if (half % 2 === 1) await by.reconcile();
    }
  };
  const conditions = async (name: string): Promise<string> => {
    const node = (await fn.cluster("GET", `/clusters/${made.id}/api/v1/nodes/${name}`, token)).json();
    return node.status.conditions.find(({ type }: { type: string }) => type === "Ready").status;
  };
  await minutes(3, ["n1", "n2"]);
  return { bed, clock, fn, made, speak, minutes, conditions };
}

describe("nodes of a cluster on functions", () => {
  test("that speak cost the loops nothing: no lease, no write, no look at their cluster but at its head", async () => {
    const { bed, fn, made, clock, speak } = await clusterWithNodes();
    const looks: string[] = [];
    for (let minute = 0; minute < 10; minute++) {
      clock.advance(60_000);
      for (const name of ["n1", "n2"]) await speak(name);
      bed.table.reads = [];
      const before = bed.table.writes;
      await fn.reconcile();
      looks.push(...bed.table.reads.filter((pk) => pk.includes(made.id)));
      expect(bed.table.writes - before).toBe(0);
    }
    expect(new Set(looks)).toEqual(new Set([`acme#${made.id}#head`]));
    expect(bed.logged).toEqual([]);
  });

  test("that fall silent are given up once, each, the tenant hears of it, and when they speak again they are ready", async () => {
    const { bed, fn, made, minutes, conditions } = await clusterWithNodes();
    const key = (await fn.platform("POST", "/v1/tenants/acme/keys", bed.operatorKey, { name: "hooks", scopes: ["webhooks:write"] })).json();
    const hook = await fn.platform("POST", "/v1/webhooks", key.key, { url: "https://hooks.example/", events: ["node.notReady"] });
    expect(hook.status).toBe(201);
    await minutes(3, ["n1"]);
    expect([await conditions("n1"), await conditions("n2")]).toEqual(["True", "Unknown"]);
    bed.table.reads = [];
    await minutes(3, ["n1"]);
    expect(bed.table.reads.filter((pk) => pk.includes(`${made.id}#loops`))).toEqual([]);
    await minutes(3, ["n1", "n2"]);
    expect([await conditions("n1"), await conditions("n2")]).toEqual(["True", "True"]);
    await minutes(4, []);
    expect([await conditions("n1"), await conditions("n2")]).toEqual(["Unknown", "Unknown"]);
    const deliveries = [...bed.table.items.values()].filter(({ pk }) => pk.startsWith("acme#deliveries#"));
    const names = deliveries.map(({ json }) => JSON.parse(JSON.parse(String(json)).body).data.name);
    expect(names.sort()).toEqual(["n1", "n2", "n2"]);
  });

  test("that fall silent are found by an instance that never saw their cluster", async () => {
    const { bed, clock, conditions } = await clusterWithNodes();
    clock.advance(180_000);
    await bed.instance().reconcile();
    expect([await conditions("n1"), await conditions("n2")]).toEqual(["Unknown", "Unknown"]);
  });

  test("of a cluster that was deleted are listened to no more", async () => {
    const { bed, fn, made, minutes } = await clusterWithNodes();
    const listened = () => [...bed.table.items.keys()].filter((key) => key.startsWith("platform#listening"));
    expect(listened()).toHaveLength(1);
    expect((await fn.platform("DELETE", `/v1/clusters/${made.id}`, made.key)).status).toBe(202);
    await minutes(3, []);
    expect(listened()).toEqual([]);
  });
});
