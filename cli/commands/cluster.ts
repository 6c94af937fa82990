import { type Command, Option } from "commander";
import type { ApiClient, Cluster, Credentials } from "../api-client.ts";
import type { CliContext } from "../context.ts";
import { CliError, isCliError } from "../exit-codes.ts";
import { kubeconfigPath, mergeKubeconfig, withOwnCommand } from "../kubeconfig-file.ts";
import { findCluster, findPool } from "../lookup.ts";
import { collect, labelOption, labelPatchOption, outputOption, parseCount, parseDuration, timeoutOption } from "../options.ts";
import { type OutputFormat, printList, printOne } from "../output.ts";
import { note, openApi } from "../session.ts";
import { clusterView } from "../views.ts";
import { waitFor } from "../wait.ts";

interface CreateOptions {
  readonly nodes?: number;
  readonly runtime?: string;
  readonly pool?: string;
  readonly label: Record<string, string>;
  readonly wait: boolean;
  readonly timeout: number;
  readonly output: OutputFormat;
}

export function addClusterCommands(program: Command, context: CliContext): void {
  const cluster = program.command("cluster").description("turn clusters up, resize them, turn them down");
  const view = () => clusterView(context.clock.now());

  cluster
    .command("create <name>")
    .description("create a cluster, with a pool of its own unless --pool names one")
    .addOption(new Option("-n, --nodes <count>", "machines in its own pool").argParser(parseCount))
    .addOption(new Option("--runtime <runtime>", "what runs containers there").choices(["auto", "containerd", "process", "hollow"]))
    .option("--pool <pool>", "an existing pool to draw on")
    .addOption(labelOption("a label; may be repeated"))
    .option("--no-wait", "do not wait until the cluster is ready")
    .addOption(timeoutOption())
    .addOption(outputOption())
    .action(async (name: string, options: CreateOptions, command: Command) => {
      const api = await openApi(context, command);
      const { nodes, runtime, label: labels } = options;
      const pool = options.pool === undefined ? undefined : (await findPool(api, options.pool)).id;
      const body = { name, labels, ...(nodes !== undefined && { nodes }), ...(runtime && { runtime }), ...(pool && { pool }) };
      const created = await api.post<Cluster>("/v1/clusters", body);
      const shown = options.wait ? await untilReady(context, api, created, options.timeout) : created;
      await printOne(context, options.output, view(), shown);
      if (options.output === "table") note(context, `\nkubectl: coracle cluster kubeconfig ${name} --merge`);
    });

  cluster
    .command("list")
    .alias("ls")
    .description("list clusters")
    .addOption(outputOption())
    .action(async ({ output }: { output: OutputFormat }, command: Command) => {
      const api = await openApi(context, command);
      await printList(context, output, view(), await api.list<Cluster>("/v1/clusters"));
    });

  cluster
    .command("get <cluster>")
    .description("show a cluster, by name or id")
    .addOption(outputOption())
    .action(async (name: string, { output }: { output: OutputFormat }, command: Command) => {
      await printOne(context, output, view(), await findCluster(await openApi(context, command), name));
    });

  const change = async (name: string, body: object, output: OutputFormat, command: Command): Promise<void> => {
    const api = await openApi(context, command);
    const { id } = await findCluster(api, name);
    await printOne(context, output, view(), await api.patch<Cluster>(`/v1/clusters/${id}`, body));
  };

  cluster
    .command("resize <cluster>")
    .description("say how many machines its own pool should have")
    .addOption(new Option("-n, --nodes <count>", "machines").argParser(parseCount).makeOptionMandatory())
    .addOption(outputOption())
    .action((name: string, { nodes, output }: { nodes: number; output: OutputFormat }, command: Command) =>
      change(name, { nodes }, output, command),
    );

  for (const [verb, schedulingPaused, description] of [
    ["pause", true, "make the scheduler rest: pods that run go on, new ones wait"],
    ["resume", false, "let the scheduler place pods again"],
  ] as const) {
    cluster
      .command(`${verb} <cluster>`)
      .description(description)
      .addOption(outputOption())
      .action((name: string, { output }: { output: OutputFormat }, command: Command) =>
        change(name, { schedulingPaused }, output, command),
      );
  }

  cluster
    .command("update <cluster>")
    .description("rename or label a cluster")
    .option("--name <name>", "its new name")
    .addOption(labelPatchOption())
    .addOption(outputOption())
    .action((name: string, options: { name?: string; label: Record<string, string | null>; output: OutputFormat }, command: Command) =>
      change(name, { ...(options.name !== undefined && { name: options.name }), labels: options.label }, options.output, command),
    );

  cluster
    .command("delete <cluster>")
    .description("delete a cluster with all it holds")
    .option("--no-wait", "do not wait until it is gone")
    .addOption(timeoutOption())
    .action(async (name: string, { wait, timeout }: { wait: boolean; timeout: number }, command: Command) => {
      const api = await openApi(context, command);
      const found = await findCluster(api, name);
      await api.remove(`/v1/clusters/${found.id}`);
      if (wait) await waitFor(context, { what: `deleting cluster ${found.name}`, timeoutSeconds: timeout }, () => isGone(api, found.id));
      context.stdout.write(`cluster/${found.name} ${wait ? "deleted" : "is being deleted"}\n`);
    });

  addCredentialCommands(cluster, context);
}

interface KubeconfigOptions {
  readonly exec?: true;
  readonly ttl?: number;
  readonly user?: string;
  readonly group?: string[];
  readonly merge?: true;
}

function addCredentialCommands(cluster: Command, context: CliContext): void {
  const ttl = () => new Option("--ttl <duration>", "how long the token lives, at most 24h; default 1h").argParser(parseDuration);
  const group = () =>
    new Option("--group <group>", "a group that RBAC knows instead of system:masters; may be repeated").argParser(collect);

  cluster
    .command("kubeconfig <cluster>")
    .description("print a kubeconfig, or merge it into yours")
    .option("--exec", "with a command that fetches tokens instead of a token that runs out")
    .addOption(ttl())
    .option("--user <name>", "the user name that the cluster sees")
    .addOption(group())
    .option("--merge", "put it into KUBECONFIG or ~/.kube/config and make it the current context")
    .action(async (name: string, options: KubeconfigOptions, command: Command) => {
      const api = await openApi(context, command);
      const { id } = await findCluster(api, name);
      const answer = await requestCredentials(api, id, options.exec ? "exec" : "token", options);
      const { dataDirectory } = api.server;
      const kubeconfig = options.exec ? await withOwnCommand(answer.kubeconfig, context.entry, dataDirectory) : answer.kubeconfig;
      if (!options.merge) return context.stdout.write(kubeconfig);
      const path = kubeconfigPath(context);
      await mergeKubeconfig(context, path, kubeconfig);
      note(context, `merged into ${path}; the current context is coracle-${name}`);
    });

  cluster
    .command("token <cluster>")
    .description("print a short-lived token, as kubectl's credential plugins do (an ExecCredential)")
    .addOption(ttl())
    .option("--user <name>", "the user name that the cluster sees")
    .addOption(group())
    .option("--raw", "print the token alone")
    .action(async (name: string, options: KubeconfigOptions & { raw?: true }, command: Command) => {
      const api = await openApi(context, command);
      const { id } = await findCluster(api, name);
      const { token, expiresAt } = await requestCredentials(api, id, "token", options);
      if (token === null || expiresAt === null) throw new CliError("failure", "the server gave no token");
      const credential = {
        apiVersion: "client.authentication.k8s.io/v1",
        kind: "ExecCredential",
        status: { token, expirationTimestamp: expiresAt.replace(/\.\d+Z$/, "Z") },
      };
      context.stdout.write(options.raw ? `${token}\n` : `${JSON.stringify(credential)}\n`);
    });
}

function requestCredentials(
  api: ApiClient,
  id: string,
  kind: "token" | "exec",
  { ttl, user, group }: Pick<KubeconfigOptions, "ttl" | "user" | "group">,
): Promise<Credentials> {
  return api.post<Credentials>(`/v1/clusters/${id}/credentials`, {
    kind,
    ...(ttl !== undefined && { ttlSeconds: ttl }),
    ...(user !== undefined && { username: user }),
    ...(group && { groups: group }),
  });
}

function untilReady(context: CliContext, api: ApiClient, created: Cluster, timeoutSeconds: number): Promise<Cluster> {
  if (created.state === "ready") return Promise.resolve(created);
  return waitFor(context, { what: `creating cluster ${created.name}`, timeoutSeconds }, async () => {
    const found = await api.get<Cluster>(`/v1/clusters/${created.id}`);
    return found.state === "ready" ? found : undefined;
  });
}

async function isGone(api: ApiClient, id: string): Promise<true | undefined> {
  try {
    await api.get(`/v1/clusters/${id}`);
    return undefined;
  } catch (error) {
    if (isCliError(error, "notFound")) return true;
    throw error;
  }
}
