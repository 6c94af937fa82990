import { type ChildProcess, spawn } from "node:child_process";
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync, readFileSync, renameSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { kubernetesRelease, layKubernetesModule } from "../scripts/kubernetes/module.ts";
import { freePort } from "../test/free-port.ts";
import { connect, type Endpoint } from "./endpoint.ts";
import { residentMiB } from "./host-process.ts";
import type { Measurement } from "./measurement.ts";

/** What kube-apiserver over etcd showed. */
export interface ReferenceFigures {
  readonly api: readonly Measurement[];
  readonly startMs: number;
  readonly residentMiB: number;
}

/** kube-apiserver over etcd on this machine, to measure beside. */
export interface Reference {
  readonly endpoint: Endpoint;
  /** Milliseconds from spawning kube-apiserver, with etcd at work, until `/readyz` says so. */
  readonly startedInMs: number;
  /** Of kube-apiserver alone. */
  residentMiB(): number;
  /** Ends both and removes what they wrote. */
  stop(): Promise<void>;
}

const readyWithinMs = 60_000;
const betweenLooksMs = 20;

/** Builds kube-apiserver from the Go module proxy, once; some ten minutes of two processors. Answers the program's path. @throws Error when Go fails */
export function buildApiServer(directory: string): string {
  const program = join(directory, `kube-apiserver-${kubernetesRelease}`);
  if (existsSync(program)) return program;
  const source = join(directory, "apiserver-source");
  const path = "k8s.io/kubernetes/cmd/kube-apiserver";
  const { go } = layKubernetesModule(source, [path]);
  const [major, minor] = kubernetesRelease.split(".");
  const version = Object.entries({ gitVersion: `v${kubernetesRelease}`, gitMajor: major, gitMinor: minor });
  const stamped = version.map(([name, value]) => `-X k8s.io/component-base/version.${name}=${value}`).join(" ");
  go("get", `${path}@v${kubernetesRelease}`);
  go("build", "-ldflags", `-s -w ${stamped}`, "-o", "kube-apiserver", path);
  renameSync(join(source, "kube-apiserver"), program);
  return program;
}

/**
 * Starts `etcd` (from the path, with its durable default of a sync for each batch) and kube-apiserver over it on free ports. No controller manager and no scheduler run beside it, and the
 * admission that would wait for one's service accounts is off. @throws Error when they are not ready in time
 */
export async function startReference(program: string): Promise<Reference> {
  const directory = await mkdtemp(join(tmpdir(), "coracle-reference-"));
  const token = randomBytes(16).toString("hex");
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const keyFile = join(directory, "service-accounts.key");
  const tokenFile = join(directory, "tokens.csv");
  await writeFile(keyFile, privateKey.export({ type: "pkcs1", format: "pem" }));
  await writeFile(tokenFile, `${token},bench,bench,system:masters\n`);
  const [client, peer, port] = await Promise.all([freePort(), freePort(), freePort()]);
  const store = `http://127.0.0.1:${client}`;
  const etcd = start("etcd", [
    ...[`--data-dir=${join(directory, "etcd")}`, "--log-level=error"],
    ...[`--listen-client-urls=${store}`, `--advertise-client-urls=${store}`, `--listen-peer-urls=http://127.0.0.1:${peer}`],
  ]);
  const children = [etcd];
  const stop = async (): Promise<void> => {
    for (const child of children.toReversed()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const ended = once(child, "exit");
      child.kill("SIGKILL");
      await ended;
    }
    await rm(directory, { recursive: true, force: true });
  };
  const answers = (ask: () => Promise<boolean>, child: ChildProcess): Promise<void> =>
    answering(ask, child).catch(async (error: unknown) => {
      await stop();
      throw error;
    });
  await answers(() => fetch(`${store}/health`).then(({ ok }) => ok), etcd);
  const startedAt = performance.now();
  const server = start(program, [
    ...[`--etcd-servers=${store}`, "--bind-address=127.0.0.1", `--secure-port=${port}`, `--cert-dir=${directory}`],
    ...[`--service-account-key-file=${keyFile}`, `--service-account-signing-key-file=${keyFile}`],
    ...["--service-account-issuer=https://kubernetes.default.svc", "--service-cluster-ip-range=10.96.0.0/16"],
    ...["--authorization-mode=RBAC", `--token-auth-file=${tokenFile}`, "--disable-admission-plugins=ServiceAccount"],
  ]);
  children.push(server);
  const endpoint = (): Endpoint => ({
    base: `https://127.0.0.1:${port}`,
    token,
    ca: readFileSync(join(directory, "apiserver.crt"), "utf8"),
  });
  await answers(async () => {
    const connections = connect(endpoint(), 1);
    try {
      return (await connections.send({ method: "GET", path: "/readyz" })).status === 200;
    } finally {
      await connections.close();
    }
  }, server);
  return {
    endpoint: endpoint(),
    startedInMs: performance.now() - startedAt,
    residentMiB: () => residentMiB(server.pid),
    stop,
  };
}

function start(program: string, args: readonly string[]): ChildProcess {
  return spawn(program, args, { stdio: "ignore" });
}

/** @throws Error when the process has ended, or does not answer in time */
async function answering(ask: () => Promise<boolean>, child: ChildProcess): Promise<void> {
  const deadline = performance.now() + readyWithinMs;
  while (!(await ask().catch(() => false))) {
    if (child.exitCode !== null || performance.now() > deadline) throw new Error(`${child.spawnfile} does not answer`);
    await delay(betweenLooksMs);
  }
}
