import type { Template } from "aws-cdk-lib/assertions";
import { describe, expect, it } from "vitest";
import { createHttpClient } from "../../../agent/http-client.ts";
import { serveTunnel } from "../../../agent/streams/tunnel.ts";
import { createHttpTransport } from "../../../agent/transport.ts";
import { functionClock } from "../../../functions/clock.ts";
import { noTenants } from "../../../functions/names/table.ts";
import { openDependencies } from "../../../functions/open-dependencies.ts";
import type { FunctionPorts } from "../../../functions/ports.ts";
import { sessionPolicy } from "../../../functions/session-policy.ts";
import { ownAccess, sessionAccess, storeActions } from "../../../infra/table-access.ts";
import { startContainer } from "../../../server/container/host.ts";
import { readContainerSettings } from "../../../server/container/settings.ts";
import { reservedTenants } from "../../../shared/platform/record-keys.ts";
import { logKey, logOf, logPartKey, objectKey, objectPartKey } from "../../../shared/store/dynamo/keys.ts";
import type { ItemKey, Write } from "../../../shared/store/dynamo/table.ts";
import { eventually } from "../../e2e/eventually.ts";
import { createHttp } from "../../e2e/http.ts";
import { createCluster, createFunctionBed, type Program } from "../functions/function-bed.ts";
import { machine } from "../functions/machine.ts";
import { accessOf, confinedTable, likeness, policyAccess, type Statement, sessionTable } from "./confined-table.ts";
import { bootstrapSecret, bootstrapToken, everythingOnce, review, reviews } from "./everything-once.ts";
import { synthesise } from "./synthesised.ts";

const statementsOf = (template: Template, role: string): Statement[] =>
  Object.entries(template.findResources("AWS::IAM::Policy"))
    .filter(([id]) => id.startsWith(role))
    .flatMap(([, { Properties }]) => Properties.PolicyDocument.Statement as Statement[]);

/** What the synthesised policies of a role say of the table. */
function tableAccessOf(template: Template, role: string) {
  const statements = statementsOf(template, role);
  for (const { Action, Resource } of statements)
    if (JSON.stringify(Action).includes("Item")) expect(JSON.stringify(Resource)).toMatch(/TableV?2?[0-9A-F]*Arn/i);
  return accessOf(statements);
}

const actionsOf = (statements: readonly Statement[], service: string): string[] =>
  statements.flatMap(({ Action }) => Action).filter((action) => action.startsWith(`${service}:`));

const programs = Object.keys(ownAccess) as Program[];

const isSame =
  (expected: readonly string[]) =>
  (found: readonly string[]): boolean =>
    found.toSorted().join() === expected.toSorted().join();

const containerSettings = {
  containerDomainName: "watch.example.com",
  containerCertificateArn: "arn:aws:acm:us-east-1:123456789012:certificate/00000000-0000-0000-0000-000000000001",
};

describe("the partitions that functions and containers may reach", () => {
  const { api, loops, container } = synthesise(containerSettings);
  if (!container) throw new Error("there are no containers");

  it("in their own name are each program's alone, action by action, and no policy says otherwise", () => {
    const templates: Record<Program, readonly [Template, string]> = {
      ...{ clusterApi: [api, "ClusterApi"], platformApi: [api, "PlatformApi"], agentApi: [api, "AgentApi"] },
      ...{ onChange: [loops, "OnChange"], reconcile: [loops, "Reconcile"], deliver: [loops, "Deliver"], meter: [loops, "Meter"] },
      container: [container, "WatchesTask"],
    };
    const found = Object.entries(templates).map(([name, [template, role]]) => [name, tableAccessOf(template, role)]);
    expect(Object.fromEntries(found)).toEqual(ownAccess);
  });

  it("hold nothing of what is in a cluster: no object, no part of one, no log", () => {
    const scope = "acme#cl-1";
    const object = objectKey(scope, { group: "", resource: "secrets", namespace: "default", name: "records" });
    const contents = [object.pk, objectPartKey(object, 0).pk, logKey(logOf(scope, "i"), 7).pk, logPartKey(logOf(scope, "i"), 7, "0").pk];
    for (const access of Object.values(ownAccess))
      for (const pattern of access.flatMap(({ partitions }) => partitions))
        expect(contents.filter((partition) => likeness(pattern).test(partition))).toEqual([]);
  });

  it("in a tenant's name are those of a role that nobody else takes on, under a policy for this tenant", () => {
    const roles = [
      [api, "ClusterTenantAccess", "clusterApi", ["ClusterApi"]],
      [api, "TenantAccess", "others", ["PlatformApi", "AgentApi"]],
      [loops, "TenantAccess", "others", ["OnChange", "Reconcile", "Deliver", "Meter"]],
      [container, "WatchesTenantAccess", "clusterApi", ["WatchesTask"]],
    ] as const;
    for (const [template, name, access, users] of roles) {
      expect(tableAccessOf(template, name)).toEqual(sessionAccess[access]);
      const [role] = Object.entries(template.findResources("AWS::IAM::Role")).filter(([id]) => id.startsWith(name));
      expect(role?.[1].Properties.MaxSessionDuration).toBe(3600);
      const trusted = role?.[1].Properties.AssumeRolePolicyDocument.Statement as { Principal: unknown }[];
      expect(trusted.map(({ Principal }, index) => JSON.stringify(Principal).includes(users[index] ?? "?"))).toEqual(users.map(() => true));
      // A role does no more by a session than the session's policy has, so this has all that the table's key needs.
      expect(actionsOf(statementsOf(template, name), "kms")).toEqual(actionsOf(sessionPolicy("acme").Statement, "kms"));
    }
    const [own, along, ...more] = policyAccess("acme");
    expect(more).toEqual([]);
    expect(own).toEqual({ actions: expect.toSatisfy(isSame(storeActions)), partitions: ["acme#*"] });
    // STS takes no policy of more than 2,048 characters.
    expect(JSON.stringify(sessionPolicy("a".repeat(63))).length).toBeLessThan(1900);
    // Whatever is written along with a tenant's is one of what no tenant can be named like.
    const [, ...patterns] = along?.partitions ?? [];
    expect([...new Set(patterns.map((pattern) => pattern.split("#")[0]))].toSorted()).toEqual([...noTenants].toSorted());
    expect([...reservedTenants].toSorted()).toEqual([...noTenants].toSorted());
  });

  it("are in a session another tenant's never, and no tenant's only to be written, together with what is the tenant's", async () => {
    const bed = createFunctionBed();
    const head = (tenant: string) => ({ pk: `${tenant}#dev#head`, sk: "head" });
    const lookUp = { pk: "api-key#abcd#records", sk: "/abcd" };
    const put = (key: ItemKey): Write => ({ kind: "put", item: { ...key } });
    for (const role of ["clusterApi", "others"] as const) {
      const table = sessionTable(bed.table, sessionAccess[role], "acme");
      await table.writeTogether([put(head("acme")), put({ pk: "acme#keys#records", sk: "/a" })], role);
      expect(await table.get(head("acme"))).toBeDefined();
      const refused = [
        () => table.get(head("acme2")),
        () => table.getMany([head("acme"), head("other")]),
        () => table.query("other#clusters#records"),
        () => table.write(put(head("other"))),
        () => table.writeTogether([put(head("acme")), put(head("other"))], "token"),
        () => table.writeMany([{ kind: "delete", key: head("other") }]),
        () => table.get(lookUp),
        () => table.query(lookUp.pk),
        () => table.write(put(lookUp)),
        () => table.writeMany([{ kind: "put", item: lookUp }]),
        () => table.writeTogether([put(head("acme")), put({ pk: "platform#installation#records", sk: "/keys" })], "token"),
        ...(role === "clusterApi" ? [() => table.writeTogether([put(head("acme")), put(lookUp)], "token")] : []),
      ];
      for (const call of refused) await expect(call(), String(call)).rejects.toThrow("AccessDenied");
    }
    const table = sessionTable(bed.table, sessionAccess.others, "acme");
    await table.writeTogether([put(head("acme")), put(lookUp)], "token");
    expect(await bed.table.get(lookUp)).toBeDefined();
  });

  it("are enough for all that functions do, and none of their rights is for nothing", async () => {
    const used = new Set<string>();
    const along = new Set<string>();
    let shiftMs = 0;
    const onOwnUse = (program: Program, action: string, partition: string) => void used.add(`${program} ${action} ${partition}`);
    // Whichever of them runs first makes the installation's keys.
    for (const program of programs) await openDependencies(createFunctionBed({ onOwnUse }).ports(undefined, program)());
    const bed = createFunctionBed({
      clock: { ...functionClock, now: () => Date.now() + shiftMs },
      variables: { CORACLE_WEBHOOK_ADDRESSES: "any" },
      onOwnUse,
      onSessionUse: (role, tenant, action, partition) => {
        const written = policyAccess(tenant)[1]?.partitions?.slice(1) ?? [];
        for (const pattern of written) if (likeness(pattern).test(partition)) along.add(`${role} ${action} ${pattern}`);
      },
    });
    await everythingOnce(bed, (ms) => {
      shiftMs += ms;
    });
    expect(bed.denied).toEqual([]);
    const unused = Object.entries(ownAccess)
      .filter(([program]) => program !== "container")
      .flatMap(([program, access]) =>
        access.flatMap(({ actions, partitions }) => {
          const isUsed = (rights: readonly string[]) => [...used].some((use) => rights.some((right) => likeness(right).test(use)));
          return [
            ...actions.filter((action) => !isUsed(partitions.map((partition) => `${program} ${action} ${partition}`))),
            ...partitions.filter((partition) => !isUsed(actions.map((action) => `${program} ${action} ${partition}`))),
          ].map((each) => `${program} ${each} of ${partitions}`);
        }),
      );
    expect(unused).toEqual([]);
    const [, writtenAlong] = policyAccess("acme");
    const words = [...along].map((use) => use.split(" "));
    expect([...new Set(words.map(([, , pattern]) => pattern))].toSorted()).toEqual(writtenAlong?.partitions?.slice(1).toSorted());
    expect([...new Set(words.map(([, action]) => action))].toSorted()).toEqual(writtenAlong?.actions.toSorted());
    const byClusterApi = words.flatMap(([role, , pattern]) => (role === "clusterApi" ? [pattern] : []));
    expect(new Set(byClusterApi)).toEqual(new Set(["platform#usage-open#records"]));
  });

  it("are enough for the containers, which have no others", async () => {
    const bed = createFunctionBed({ variables: { CORACLE_USAGE_SECONDS: "1" } });
    const functions = bed.instance();
    const made = await createCluster(bed, functions);
    const reached = new Set<string>();
    const used = (_action: string, partition: string) => void reached.add(partition);
    const connectionsUrl = "https://watch.example.com";
    const unconfined = bed.ports()();
    const ports: FunctionPorts = {
      ...{ ...unconfined, environment: { ...unconfined.environment, connectionsUrl } },
      table: confinedTable(bed.table, ownAccess.container, { used }),
      tableOf: (tenant) => sessionTable(bed.table, sessionAccess.clusterApi, tenant, { used }),
    };
    const server = await startContainer(
      readContainerSettings({ CORACLE_PORT: "0", CORACLE_SURFACES: "cluster", CORACLE_LOOPS: "off" }),
      ports,
    );
    const client = createHttp(`${server.url}/clusters/${made.id}`, server.caPem, made.credentials.token);
    const path = "/api/v1/namespaces/default/configmaps";
    const body = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "one" } };
    expect((await client.send(path, { method: "POST", body })).status).toBe(201);
    for await (const line of client.lines(`${path}?watch=true&timeoutSeconds=1`)) expect(JSON.parse(line).type).toBe("ADDED");
    expect((await client.send("/readyz")).status).toBe(200);
    expect((await client.send("/api/v1/namespaces/kube-system/secrets", { method: "POST", body: bootstrapSecret })).status).toBe(201);
    const known = await client.send(reviews, { method: "POST", body: review, token: bootstrapToken });
    expect(known.json()).toMatchObject({ status: { userInfo: { username: "system:bootstrap:abcdef" } } });
    const joined = await functions.agent("POST", "/agent/v1/join", "", { token: made.join.token, node: machine("n1") });
    const { credential } = joined.json();
    await functions.agent("POST", "/agent/v1/sync", credential, { marks: {} });
    const proxied = client.send("/api/v1/nodes/n1/proxy/healthz");
    const asked = await eventually("a tunnel that is asked for", async () => {
      const synced = await functions.agent("POST", "/agent/v1/sync", credential, { marks: {} });
      return synced.json().streams[0] as { id: string; url: string; process: string } | undefined;
    });
    expect(asked).toEqual({ kind: "tunnel", id: expect.any(String), url: connectionsUrl, process: expect.any(String) });
    const { fetch, upgrade, close } = createHttpClient(server.caPem);
    const transport = createHttpTransport({ serverUrl: server.url, fetch, upgrade }, credential);
    const connection = await transport.openTunnel(asked.id, { process: asked.process });
    const tunnel = serveTunnel(connection, (_target, stream) => stream.refuse("not now"));
    expect((await proxied).json()).toMatchObject({ code: 503, message: "error trying to reach service: not now" });
    tunnel.close();
    await close();
    client.close();
    await server.close();
    expect(bed.logged).toEqual([]);
    for (const word of ["usage", "node-credential"])
      expect([word, [...reached].some((partition) => partition.includes(word))]).toEqual([word, true]);
  });
});
