import { z } from "zod";
import { hashOf } from "./hash.ts";
import { type OverlayOptions, overlayDeviceOf, removeOverlay } from "./overlay.ts";
import type { PeerPlan, PeerRoute } from "./peers.ts";
import type { RunCommand } from "./run-command.ts";

/** The kernel's table of routes names who made each (rtnetlink(7), `rtm_protocol`): this number is nobody else's in `rt_protos`. */
export const routeProtocol = 67;

/** Agents of one machine keep routes beside each other: each knows its own by the metric. High, so that a route a person made goes first. */
export const routeMetricOf = (instance: string): number => 0x10000 + (hashOf(`routes/${instance}`) % 0x1000000);

/** Puts plans into the kernel. Calls must not overlap. */
export interface PeerRoutes {
  /** Makes the node's routes to other machines' pods what the plan says, by reading what there is: repeating it restores them. */
  apply(plan: PeerPlan): Promise<void>;
  remove(): Promise<void>;
}

const routeList = z.array(
  z.object({ dst: z.string(), gateway: z.string().optional(), dev: z.string().optional(), metric: z.number().optional() }),
);
const neighbourList = z.array(z.object({ dst: z.string(), lladdr: z.string().optional() }));
const bridgeList = z.array(z.object({ mac: z.string(), dst: z.string().optional() }));

export function createPeerRoutes(
  options: Pick<OverlayOptions, "pool" | "podCidr"> & { readonly instance: string; readonly run: RunCommand },
): PeerRoutes {
  const { pool, podCidr, run } = options;
  const device = overlayDeviceOf(pool);
  const suffix = ["proto", String(routeProtocol), "metric", String(routeMetricOf(options.instance))];

  async function list<T extends z.ZodType>(program: string, args: readonly string[], schema: T): Promise<z.output<T> | undefined> {
    const { exitCode, stdout } = await run(program, args);
    return exitCode === 0 && stdout.trim() !== "" ? schema.parse(JSON.parse(stdout)) : undefined;
  }

  async function batch(program: string, commands: readonly string[]): Promise<void> {
    if (commands.length === 0) return;
    const { exitCode, stderr } = await run(program, ["-force", "-batch", "-"], `${commands.join("\n")}\n`);
    if (exitCode !== 0) throw new Error(`${program}: ${stderr.trim().split("\n")[0]}`);
  }

  const ownRoutes = async () => {
    const metric = routeMetricOf(options.instance);
    const found = await list("ip", ["-json", "-4", "route", "show", "proto", String(routeProtocol)], routeList);
    return (found ?? []).filter((route) => route.metric === metric);
  };

  const routeCommand = (route: PeerRoute): string =>
    route.kind === "direct"
      ? `route replace ${route.podCidr} via ${route.via} ${suffix.join(" ")}`
      : `route replace ${route.podCidr} via ${route.gateway} dev ${device} onlink ${suffix.join(" ")}`;

  /** The overlay's ARP entries and the places of its ends: all of them static, as nobody answers a broadcast there. */
  const applyNeighbours = async (routes: readonly PeerRoute[]): Promise<void> => {
    const overlay = routes.flatMap((route) => (route.kind === "overlay" ? [route] : []));
    const [neighbours, ends] = await Promise.all([
      list("ip", ["-json", "-4", "neigh", "show", "dev", device, "nud", "permanent"], neighbourList),
      list("bridge", ["-json", "fdb", "show", "dev", device], bridgeList),
    ]);
    const [macs, endpoints] = [
      new Map(overlay.map(({ gateway, mac }) => [gateway, mac])),
      new Map(overlay.map(({ mac, endpoint }) => [mac, endpoint])),
    ];
    const known = new Map((neighbours ?? []).map(({ dst, lladdr }) => [dst, lladdr]));
    const placed = new Map((ends ?? []).flatMap(({ mac, dst }) => (dst === undefined ? [] : [[mac, dst] as const])));
    const changed = <K, V>(wanted: ReadonlyMap<K, V>, found: ReadonlyMap<K, V | undefined>) =>
      [...wanted].filter(([key, value]) => found.get(key) !== value);
    const stale = (wanted: ReadonlyMap<string, unknown>, found: ReadonlyMap<string, unknown>) =>
      [...found.keys()].filter((key) => !wanted.has(key));
    await batch("bridge", [
      ...changed(endpoints, placed).map(([mac, end]) => `fdb replace ${mac} dev ${device} dst ${end} self permanent`),
      ...stale(endpoints, placed).map((mac) => `fdb delete ${mac} dev ${device} dst ${placed.get(mac)} self`),
    ]);
    await batch("ip", [
      ...changed(macs, known).map(([ip, mac]) => `neigh replace ${ip} lladdr ${mac} dev ${device} nud permanent`),
      ...stale(macs, known).map((ip) => `neigh delete ${ip} dev ${device}`),
    ]);
  };

  return {
    async apply({ routes }) {
      const overlaid = routes.some(({ kind }) => kind === "overlay");
      if (overlaid) await applyNeighbours(routes);
      const current = await ownRoutes();
      const held = new Map(current.map(({ dst, gateway, dev }) => [dst, { gateway, dev }]));
      const isThere = (route: PeerRoute): boolean => {
        const found = held.get(route.podCidr);
        if (route.kind === "direct") return found?.gateway === route.via && found.dev !== device;
        return found?.gateway === route.gateway && found.dev === device;
      };
      const wanted = new Set(routes.map((route) => route.podCidr));
      await batch("ip", [
        ...routes.filter((route) => !isThere(route)).map(routeCommand),
        ...current.filter(({ dst }) => !wanted.has(dst)).map(({ dst }) => `route delete ${dst} ${suffix.join(" ")}`),
      ]);
      // After the routes that led there.
      if (!overlaid && held.size > 0 && current.some(({ dev }) => dev === device)) await applyNeighbours([]);
    },
    async remove() {
      const current = await ownRoutes();
      await batch(
        "ip",
        current.map(({ dst }) => `route delete ${dst} ${suffix.join(" ")}`),
      );
      await removeOverlay(pool, podCidr, run);
    },
  };
}
