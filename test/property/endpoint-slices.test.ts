import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type EndpointGroup, endpointKey, endpointsPerSlice, planSlices, portsKey } from "../../shared/controllers/endpoints/slice-plan.ts";
import type { DiscoveryV1EndpointPort, Endpoint, EndpointSlice } from "../../shared/kubernetes/types.ts";

const endpoint = (id: number, ready: boolean): Endpoint => ({ addresses: [`10.0.${id >> 8}.${id & 255}`], conditions: { ready } });
const groups = fc
  .array(fc.tuple(fc.uniqueArray(fc.nat(400), { maxLength: 260 }), fc.boolean()), { maxLength: 3 })
  .map((sets) =>
    sets.map(([ids, ready], i): EndpointGroup => {
      const ports = [{ name: "p", port: 8080 + i, protocol: "TCP" as const }];
      const endpoints = ids.map((id) => endpoint(id, ready)).map((each): [string, Endpoint] => [endpointKey(each), each]);
      return { ports, endpoints: new Map(endpoints) };
    }),
  )
  .map((all) => all.filter(({ endpoints }) => endpoints.size > 0));

const blank = (ports: readonly DiscoveryV1EndpointPort[]): EndpointSlice => ({
  apiVersion: "discovery.k8s.io/v1",
  kind: "EndpointSlice",
  metadata: { labels: { service: "s" } },
  addressType: "IPv4",
  endpoints: [],
  ports: [...ports],
});

function run(existing: readonly EndpointSlice[], wanted: readonly EndpointGroup[], names: { next: number }) {
  const plan = planSlices(existing, wanted, blank);
  const gone = new Set(plan.remove.map(({ metadata }) => metadata.name));
  const updated = new Map(plan.update.map((slice) => [slice.metadata.name, slice]));
  const kept = existing.filter(({ metadata }) => !gone.has(metadata.name)).map((slice) => updated.get(slice.metadata.name) ?? slice);
  const made = plan.create.map((slice) => ({ ...slice, metadata: { ...slice.metadata, name: `s${names.next++}` } }));
  return { plan, slices: [...kept, ...made] };
}

const shown = (slices: readonly EndpointSlice[]): string[] =>
  slices.flatMap(({ endpoints, ports }) => endpoints.map((each) => `${portsKey(ports ?? [])} ${JSON.stringify(each)}`)).sort();
const wantedOf = (all: readonly EndpointGroup[]): string[] =>
  all.flatMap(({ endpoints, ports }) => [...endpoints.values()].map((each) => `${portsKey(ports)} ${JSON.stringify(each)}`)).sort();

describe("a plan of endpoint slices", () => {
  it("leads to exactly the wanted endpoints in slices that are not too full, after any history, and then rests", () => {
    fc.assert(
      fc.property(fc.array(groups, { minLength: 1, maxLength: 4 }), (history) => {
        const names = { next: 0 };
        let slices: EndpointSlice[] = [];
        for (const wanted of history) {
          slices = run(slices, wanted, names).slices;
          expect(shown(slices)).toEqual(wantedOf(wanted));
          expect(slices.length).toBeGreaterThan(0);
          for (const { endpoints } of slices) expect(endpoints.length).toBeLessThanOrEqual(endpointsPerSlice);
          const { plan } = run(slices, wanted, names);
          expect([plan.create, plan.update, plan.remove]).toEqual([[], [], []]);
        }
      }),
      { numRuns: 60 },
    );
  });
});
