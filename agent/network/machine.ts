import { constants } from "node:fs";
import { access, readFile, writeFile } from "node:fs/promises";
import { networkInterfaces } from "node:os";
import { z } from "zod";
import { bridgePrefix } from "./addressing.ts";
import { overlayPrefix } from "./overlay.ts";
import type { RunCommand } from "./run-command.ts";

/** IPv4 addresses of this machine's interfaces with their prefix lengths, without those of the interface `except`. */
export function machineCidrs(except?: string): string[] {
  return Object.entries(networkInterfaces()).flatMap(([name, addresses]) =>
    name === except ? [] : (addresses ?? []).flatMap(({ family, cidr }) => (family === "IPv4" && cidr !== null ? [cidr] : [])),
  );
}

/** Addresses of this machine with their prefix lengths, without what agents made for pods: where other machines are. */
export function outsideCidrs(): string[] {
  const ofPods = (name: string): boolean => name.startsWith(bridgePrefix) || name.startsWith(overlayPrefix);
  return Object.entries(networkInterfaces()).flatMap(([name, addresses]) =>
    ofPods(name) ? [] : (addresses ?? []).flatMap(({ family, cidr }) => (family === "IPv4" && cidr !== null ? [cidr] : [])),
  );
}

const links = z.array(z.object({ mtu: z.number() }));
const ethernetMtu = 1_500;

/** The largest packet that the interface with this address sends, in bytes; Ethernet's, when it is the loopback interface. */
export async function mtuOf(address: string, run: RunCommand): Promise<number> {
  const found = Object.entries(networkInterfaces()).find(([, addresses]) =>
    addresses?.some((one) => one.address === address && !one.internal),
  );
  if (found === undefined) return ethernetMtu;
  const { exitCode, stdout } = await run("ip", ["-json", "link", "show", "dev", found[0]]);
  return exitCode === 0 ? (links.parse(JSON.parse(stdout))[0]?.mtu ?? ethernetMtu) : ethernetMtu;
}

const forwardRule = (podCidr: string, instance: string): string[] => [
  ...["FORWARD", "--destination", podCidr, "--match", "comment", "--comment", `coracle ${instance}`, "--jump", "ACCEPT"],
];

/** Lets what other machines' pods send to the pods here pass a packet filter that drops what it forwards. Repeating it is harmless. */
export async function acceptForwarded(podCidr: string, instance: string, run: RunCommand): Promise<void> {
  const rule = forwardRule(podCidr, instance);
  if ((await run("iptables", ["--check", ...rule])).exitCode === 0) return;
  const { exitCode, stderr } = await run("iptables", ["--insert", ...rule]);
  if (exitCode !== 0) throw new Error(`iptables refused to let packets to ${podCidr} pass: ${stderr.trim()}`);
}

export async function refuseForwarded(podCidr: string, instance: string, run: RunCommand): Promise<void> {
  await run("iptables", ["--delete", ...forwardRule(podCidr, instance)]).catch(() => undefined);
}

/** Gives the loopback interface an address. Repeating it is harmless. */
export async function addLoopbackAddress(address: string, run: RunCommand): Promise<void> {
  const { exitCode, stderr } = await run("ip", ["address", "replace", `${address}/32`, "dev", "lo"]);
  if (exitCode !== 0) throw new Error(`the loopback interface refused ${address}: ${stderr.trim()}`);
}

export async function removeLoopbackAddress(address: string, run: RunCommand): Promise<void> {
  await run("ip", ["address", "delete", `${address}/32`, "dev", "lo"]);
}

export async function removeLink(name: string, run: RunCommand): Promise<void> {
  await run("ip", ["link", "delete", name]);
}

/** Lets the machine forward packets between its interfaces. */
export async function enableForwarding(): Promise<void> {
  await writeSysctl("/proc/sys/net/ipv4/ip_forward", "1");
}

/**
 * Makes packets between two pods of one bridge pass the rules, which is what turns a reply back into one of the service. Answers whether that works here;
 * it needs the kernel module br_netfilter.
 */
export async function enableBridgeFiltering(run: RunCommand): Promise<boolean> {
  const path = "/proc/sys/net/bridge/bridge-nf-call-iptables";
  if (!(await exists(path))) await run("modprobe", ["br_netfilter"]).catch(() => undefined);
  if (!(await exists(path))) return false;
  await writeSysctl(path, "1");
  return true;
}

async function writeSysctl(path: string, value: string): Promise<void> {
  if ((await readFile(path, "utf8")).trim() !== value) await writeFile(path, value);
}

/** The portmap plugin drives iptables, so both must be there. */
export async function canMapPorts(binDirs: readonly string[], run: RunCommand): Promise<boolean> {
  const found = await Promise.all(binDirs.map((directory) => exists(`${directory}/portmap`)));
  if (!found.includes(true)) return false;
  return run("iptables", ["--version"]).then(
    ({ exitCode }) => exitCode === 0,
    () => false,
  );
}

/** Does the machine's packet filter drop what it forwards unless told otherwise? Docker sets it up so. */
export async function dropsForwarded(run: RunCommand): Promise<boolean> {
  return run("iptables", ["-S", "FORWARD"]).then(
    ({ exitCode, stdout }) => exitCode === 0 && stdout.startsWith("-P FORWARD DROP"),
    () => false,
  );
}

async function exists(path: string): Promise<boolean> {
  return access(path, constants.F_OK).then(
    () => true,
    () => false,
  );
}
