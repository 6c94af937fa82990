import { z } from "zod";
import { rangeOfInterface, rangesOverlap } from "../../shared/kubernetes/ipv4.ts";
import type { Log } from "../../shared/telemetry/log.ts";
import { bridgePrefix } from "./addressing.ts";
import type { RunCommand } from "./run-command.ts";

/** What iproute2 prints as JSON of an interface. */
const interfaces = z.array(
  z.object({ ifname: z.string(), addr_info: z.array(z.object({ local: z.string().optional(), prefixlen: z.number() })).default([]) }),
);

/**
 * Sees to it that a node's pod range leads to its own bridge. A bridge that an agent of another data directory left behind, on which no pod lies any
 * more, is taken away: the kernel would send to it what is meant for pods here. Anything else that has addresses of the range is told of, once.
 */
export async function clearRange(podCidr: string, ownBridge: string, run: RunCommand, log: Log): Promise<void> {
  const range = rangeOfInterface(podCidr);
  const found = await list(run, ["address", "show"]);
  if (range === undefined || found === undefined) return;
  for (const { ifname, addr_info } of found) {
    if (ifname === ownBridge) continue;
    const isInRange = addr_info.some(({ local, prefixlen }) => {
      const other = local === undefined ? undefined : rangeOfInterface(`${local}/${prefixlen}`);
      // A wider network loses against the range: the longest prefix wins.
      return other !== undefined && other.prefixLength >= range.prefixLength && rangesOverlap(other, range);
    });
    if (!isInRange) continue;
    if (ifname.startsWith(bridgePrefix) && (await list(run, ["link", "show", "master", ifname]))?.length === 0) {
      await run("ip", ["link", "delete", ifname]);
      log.info("bridge without pods removed", { bridge: ifname, podCidr });
    } else log.warn("another interface has addresses of the pod range: pods here may be out of reach", { interface: ifname, podCidr });
  }
}

async function list(run: RunCommand, args: readonly string[]): Promise<z.infer<typeof interfaces> | undefined> {
  const { exitCode, stdout } = await run("ip", ["-json", "-4", ...args]);
  if (exitCode !== 0) return undefined;
  // It prints nothing where there is nothing, and empty objects for what it left out.
  const printed: unknown = JSON.parse(stdout.trim() === "" ? "[]" : stdout);
  return interfaces.parse(Array.isArray(printed) ? printed.filter((one) => Object.keys(one ?? {}).length > 0) : []);
}
