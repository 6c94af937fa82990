import type { Template } from "aws-cdk-lib/assertions";
import { describe, expect, it } from "vitest";
import { createHttpClient } from "../../../agent/http-client.ts";
import { serveTunnel } from "../../../agent/streams/tunnel.ts";
import { createHttpTransport } from "../../../agent/transport.ts";
import { functionClock } from "../../../functions/clock.ts";
import type { FunctionPorts } from "../../../functions/ports.ts";
import { sessionPolicy } from "../../../functions/session-policy.ts";
import { ownAccess, storeActions } from "../../../infra/table-access.ts";
import { startContainer } from "../../../server/container/host.ts";
import { readContainerSettings } from "../../../server/container/settings.ts";
import { logKey, logOf, logPartKey, objectKey, objectPartKey } from "../../../shared/store/dynamo/keys.ts";
import { eventually } from "../../e2e/eventually.ts";
import { createHttp } from "../../e2e/http.ts";
import { createCluster, createFunctionBed, type Program } from "../functions/function-bed.ts";
import { machine } from "../functions/machine.ts";
import { confinedTable, leadingKeys, likeness, sessionAccess } from "./confined-table.ts";
import { bootstrapSecret, bootstrapToken, everythingOnce, review, reviews } from "./everything-once.ts";
import { synthesise } from "./synthesised.ts";

interface Statement {
  readonly Action: string | string[];
  readonly Resource: unknown;
  readonly Condition?: Record<string, Record<string, string[] | string>>;
}

/** What the synthesised policies of a role say of the table; `partitions` undefined: all. */
function accessOf(template: Template, role: string) {
  const policies = Object.entries(template.findResources("AWS::IAM::Policy")).filter(([id]) => id.startsWith(role));
  const statements = policies.flatMap(([, { Properties }]) => Properties.PolicyDocument.Statement as Statement[]);
  const ofItems = statements.filter(({ Action }) => [Action].flat().some((action) => /^dynamodb:.*(Item|Query|Scan)/.test(action)));
  for (const { Resource, Condition } of ofItems) {
    expect(JSON.stringify(Resource)).toMatch(/TableV?2?[0-9A-F]*Arn/i);
    // Who names no key at all would pass the condition for all of them.
    if (Condition) expect(Condition.Null).toEqual({ [leadingKeys]: "false" });
  }
  return ofItems.map(({ Action, Condition }) => ({
    actions: [Action].flat().map((action) => action.replace("dynamodb:", "")),
    partitions: Condition && [Condition["ForAllValues:StringLike"]?.[leadingKeys] ?? []].flat(),
  }));
}

const keyActionsOf = (template: Template, role: string): string[] =>
  Object.entries(template.findResources("AWS::IAM::Policy"))
    .filter(([id]) => id.startsWith(role))
    .flatMap(([, { Properties }]) => (Properties.PolicyDocument.Statement as Statement[]).flatMap(({ Action }) => Action))
    .filter((action) => action.startsWith("kms:"));

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
    const found = Object.entries(templates).map(([name, [template, role]]) => [name, accessOf(template, role)]);
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
    for (const [template, users] of [
      [api, 3],
      [loops, 2],
      [container, 1],
    ] as const) {
      expect(accessOf(template, "TenantAccess").concat(accessOf(template, "WatchesTenantAccess"))).toEqual([
        { actions: storeActions, partitions: undefined },
      ]);
      const [role] = Object.values(template.findResources("AWS::IAM::Role", { Properties: { MaxSessionDuration: 3600 } }));
      expect(role?.Properties.AssumeRolePolicyDocument.Statement).toHaveLength(users);
    }
    expect(sessionAccess("acme").map(({ partitions }) => partitions)).toEqual([["acme#*"]]);
    expect(sessionAccess("acme")[0]?.actions.toSorted()).toEqual(storeActions.toSorted());
    // A role does no more by a session than the session's policy has, so this has all that the table's key needs.
    const ofKey = sessionPolicy("acme")
      .Statement.flatMap(({ Action }) => Action)
      .filter((action) => action.startsWith("kms:"));
    expect(keyActionsOf(api, "TenantAccess")).toEqual(ofKey);
    const table = confinedTable(createFunctionBed().table, sessionAccess("acme"));
    return expect(table.get({ pk: "acme2#dev#head", sk: "head" })).rejects.toThrow("AccessDenied");
  });

  it("are enough for all that functions do, and none of their rights is for nothing", async () => {
    const used = new Set<string>();
    let shiftMs = 0;
    const bed = createFunctionBed({
      clock: { ...functionClock, now: () => Date.now() + shiftMs },
      variables: { CORACLE_WEBHOOK_ADDRESSES: "any" },
      onOwnUse: (program, action, partition) => used.add(`${program} ${action} ${partition}`),
    });
    await everythingOnce(bed, (ms) => {
      shiftMs += ms;
    });
    expect(bed.logged.filter((line) => line.includes("AccessDenied"))).toEqual([]);
    const unused = Object.entries(ownAccess)
      .filter(([program]) => program !== "container")
      .flatMap(([program, access]) =>
        access.flatMap(({ actions, partitions }) => [
          ...actions.map((action) => `${program} ${action} *`),
          ...partitions.map((partition) => `${program} * ${partition}`),
        ]),
      )
      .filter((right) => ![...used].some((use) => likeness(right).test(use)));
    expect(unused).toEqual([]);
  });

  it("are enough for the containers, which have no others", async () => {
    const bed = createFunctionBed({ variables: { CORACLE_USAGE_SECONDS: "1" } });
    const functions = bed.instance();
    const made = await createCluster(bed, functions);
    const reached = new Set<string>();
    const connectionsUrl = "https://watch.example.com";
    const unconfined = bed.ports()();
    const ports: FunctionPorts = {
      ...{ ...unconfined, environment: { ...unconfined.environment, connectionsUrl } },
      table: confinedTable(bed.table, ownAccess.container, (_, partition) => reached.add(partition)),
      tableOf: (tenant) => confinedTable(bed.table, sessionAccess(tenant)),
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
