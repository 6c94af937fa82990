import { spawn } from "node:child_process";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { connect, createServer, type Socket } from "node:net";
import { runCommand } from "./commands.ts";
import { insideNamespace } from "./containerd-fixture.ts";

/** A network namespace that stands for a machine. */
export interface NetworkHost {
  readonly namespace: string;
  readonly address: string;
  /** Runs a program of this machine as if it were that one; answers what it wrote. */
  run(command: string): Promise<string>;
}

export interface NetworkHosts {
  readonly hosts: readonly NetworkHost[];
  /** The namespace whose bridge joins them: packets between them pass its rules, not those of this machine. */
  readonly between: string;
  stop(): Promise<void>;
}

/** Passes every connection on, both ways. Runs in a process of its own too, so it stands by itself. */
const relayScript = `
const { createServer, connect } = require("node:net");
const [from, to, host] = process.argv.slice(1);
createServer((socket) => {
  const other = connect(Number(to), host);
  for (const [a, b] of [[socket, other], [other, socket]]) a.pipe(b).on("error", () => b.destroy());
}).listen(Number(from), "127.0.0.1", () => console.log("ready"));
`;

/**
 * Machines on one network, made of network namespaces and a bridge in one more. The server of this machine listens on its loopback address only, for which its
 * certificate is; so does a relay in each namespace, which leads there.
 */
export async function startNetworkHosts(names: readonly string[], serverUrl: string): Promise<NetworkHosts> {
  const id = process.pid % 100_000;
  const [link, between, network] = [`crt${id}`, `crt-between-${id}`, `10.77.${process.pid % 256}`];
  const port = new URL(serverUrl).port;
  const ends: (() => Promise<unknown> | unknown)[] = [];
  const stop = async (): Promise<void> => {
    for (const end of ends.toReversed()) await end();
  };
  const ip = async (args: string): Promise<void> => void (await runCommand("ip", args));
  const addNamespace = async (name: string): Promise<void> => {
    await ip(`netns add ${name}`);
    ends.push(() => runCommand("ip", `netns delete ${name}`, { mayFail: true }));
  };
  try {
    await addNamespace(between);
    await ip(`-n ${between} link add bridge type bridge`);
    await ip(`-n ${between} link set bridge up`);
    await ip(`link add ${link} type veth peer name gate netns ${between}`);
    ends.push(() => runCommand("ip", `link delete ${link}`, { mayFail: true }));
    await ip(`-n ${between} link set gate master bridge up`);
    await ip(`address add ${network}.1/24 dev ${link}`);
    await ip(`link set ${link} up`);
    const gate = await startGate(`${network}.1`, Number(port));
    ends.push(gate.stop);

    const hosts: NetworkHost[] = [];
    for (const [index, name] of names.entries()) {
      const [namespace, address] = [`${name}-${id}`, `${network}.${index + 2}`];
      await addNamespace(namespace);
      await ip(`-n ${between} link add host${index} type veth peer name uplink netns ${namespace}`);
      await ip(`-n ${between} link set host${index} master bridge up`);
      await ip(`-n ${namespace} address add ${address}/24 dev uplink`);
      for (const link of ["lo", "uplink"]) await ip(`-n ${namespace} link set ${link} up`);
      await ip(`-n ${namespace} route add default via ${network}.1`);
      const [program = "", ...args] = insideNamespace(namespace, [
        ...[process.execPath, "-e", relayScript, "--", port, String(gate.port), `${network}.1`],
      ]);
      const relay = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"] });
      ends.push(() => relay.kill("SIGKILL"));
      await once(relay.stdout, "data");
      hosts.push({
        namespace,
        address,
        async run(command) {
          const [inside = "", ...rest] = insideNamespace(namespace, command.split(" "));
          return (await runCommand(inside, rest)).stdout.trim();
        },
      });
    }
    return { hosts, between, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function startGate(address: string, to: number): Promise<{ readonly port: number; stop(): Promise<void> }> {
  const open = new Set<Socket>();
  const keep = (socket: Socket, other: () => Socket): void => {
    open.add(socket);
    socket.on("error", () => other().destroy());
    socket.on("close", () => open.delete(socket));
  };
  const server = createServer((socket) => {
    const other = connect(to, "127.0.0.1");
    keep(socket, () => other);
    keep(other, () => socket);
    socket.pipe(other).pipe(socket);
  });
  server.listen(0, address);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    port,
    async stop() {
      for (const socket of open) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
