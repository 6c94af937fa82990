import type { Template } from "aws-cdk-lib/assertions";
import { describe, expect, it } from "vitest";
import { functionClock } from "../../../functions/clock.ts";
import { createHandler } from "../../../functions/cluster-api.ts";
import type { FunctionPorts } from "../../../functions/ports.ts";
import { sessionPolicy } from "../../../functions/tenant-sessions.ts";
import { startContainer } from "../../../server/container/host.ts";
import { readContainerSettings } from "../../../server/container/settings.ts";
import type { Table } from "../../../shared/store/dynamo/table.ts";
import { createHttp } from "../../e2e/http.ts";
import { createCluster, createFunctionBed, urlEventOf } from "../functions/function-bed.ts";
import { confinedTable } from "./confined-table.ts";
import { synthesise } from "./synthesised.ts";

const leadingKeys = "dynamodb:LeadingKeys";

interface Statement {
  readonly Action: string | string[];
  readonly Condition?: Record<string, Record<string, string[]>>;
}

/** What the synthesised policy of a function's own role says of the table: patterns of partitions, or undefined for all. */
function ownPartitions(template: Template, role: string, readOnly = false): readonly string[] | undefined {
  const policies = Object.entries(template.findResources("AWS::IAM::Policy")).filter(([id]) => id.startsWith(role));
  const statements = policies.flatMap(([, { Properties }]) => Properties.PolicyDocument.Statement as Statement[]);
  const has = (action: string) => (statement: Statement) => [statement.Action].flat().includes(action);
  const onTable = statements.filter(has("dynamodb:GetItem")).filter((statement) => has("dynamodb:PutItem")(statement) !== readOnly);
  expect(onTable).toHaveLength(1);
  return onTable[0]?.Condition?.["ForAllValues:StringLike"]?.[leadingKeys];
}

const sessionPartitions = (tenant: string): string[] =>
  sessionPolicy(tenant).Statement.flatMap(({ Condition }) => Condition?.["ForAllValues:StringLike"][leadingKeys] ?? []);

const bootstrapToken = "abcdef.0123456789abcdef";
const bootstrapSecret = {
  ...{ apiVersion: "v1", kind: "Secret", type: "bootstrap.kubernetes.io/token", metadata: { name: "bootstrap-token-abcdef" } },
  stringData: { "token-id": "abcdef", "token-secret": "0123456789abcdef", "usage-bootstrap-authentication": "true" },
};
const reviews = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
const review = { apiVersion: "authentication.k8s.io/v1", kind: "SelfSubjectReview" };

describe("the partitions that functions may reach", () => {
  const { api, loops } = synthesise();

  it("are enough for the cluster API, in its own name and in the tenant's", async () => {
    let shiftMs = 0;
    const clock = { ...functionClock, now: () => Date.now() + shiftMs };
    const bed = createFunctionBed({ clock });
    const made = await createCluster(bed, bed.instance());
    const reached = { own: new Set<string>(), tenant: new Set<string>() };
    const readable = ownPartitions(api, "ClusterApi", true) ?? [];
    const own = confinedTable(bed.table, ownPartitions(api, "ClusterApi") ?? [], (partition) => reached.own.add(partition), readable);
    const tableOf = (tenant: string): Table =>
      confinedTable(bed.table, sessionPartitions(tenant), (partition) => reached.tenant.add(partition));
    const ports: FunctionPorts = { ...bed.ports(clock)(), table: own, tableOf };
    const handler = createHandler(() => ports);
    const send = (method: string, path: string, body?: unknown) =>
      bed.call(handler, urlEventOf(method, `/clusters/${made.id}${path}`, made.credentials.token, body));
    const configMap = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "one" }, data: { a: "b" } };
    expect((await send("POST", "/api/v1/namespaces/default/configmaps", configMap)).status).toBe(201);
    const service = { apiVersion: "v1", kind: "Service", metadata: { name: "one" }, spec: { ports: [{ port: 80 }] } };
    expect((await send("POST", "/api/v1/namespaces/default/services", service)).status).toBe(201);
    expect((await send("GET", "/api/v1/namespaces/default/configmaps")).status).toBe(200);
    expect((await send("GET", "/api/v1/namespaces/default/configmaps?watch=true&timeoutSeconds=1&resourceVersion=1")).status).toBe(200);
    expect((await send("POST", "/api/v1/namespaces/kube-system/secrets", bootstrapSecret)).status).toBe(201);
    const ask = (cluster: string, token: string) => bed.call(handler, urlEventOf("POST", `/clusters/${cluster}${reviews}`, token, review));
    const known = await ask(made.id, bootstrapToken);
    expect(known.json().status.userInfo.username).toBe("system:bootstrap:abcdef");
    expect((await ask(made.id, "abcdef.ffffffffffffffff")).status).toBe(401);
    expect((await ask("cl-nothing", bootstrapToken)).status).toBe(401);
    // Long enough for what was counted to be written.
    shiftMs = 16 * 60_000;
    expect((await send("DELETE", "/api/v1/namespaces/default/configmaps/one")).status).toBe(200);
    expect(bed.logged).toEqual([]);
    expect([...reached.own].filter((partition) => partition.includes("usage")).length).toBeGreaterThan(1);
    expect([...reached.tenant].length).toBeGreaterThan(3);
    expect([...reached.tenant].every((partition) => partition.startsWith("acme#"))).toBe(true);
  });

  it("are enough for the containers, too, which have no others", async () => {
    const { container } = synthesise({
      containerDomainName: "watch.example.com",
      containerCertificateArn: "arn:aws:acm:us-east-1:123456789012:certificate/00000000-0000-0000-0000-000000000001",
    });
    if (!container) throw new Error("there are none");
    const patterns = ownPartitions(container, "WatchesTask") ?? [];
    expect(patterns).toEqual(ownPartitions(api, "ClusterApi"));
    const readable = ownPartitions(container, "WatchesTask", true) ?? [];
    expect(readable).toEqual(ownPartitions(api, "ClusterApi", true));
    const bed = createFunctionBed({ variables: { CORACLE_USAGE_SECONDS: "1" } });
    const made = await createCluster(bed, bed.instance());
    const reached = new Set<string>();
    const ports: FunctionPorts = {
      ...bed.ports()(),
      table: confinedTable(bed.table, patterns, (partition) => reached.add(partition), readable),
      tableOf: (tenant) => confinedTable(bed.table, sessionPartitions(tenant)),
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
    client.close();
    await server.close();
    expect(bed.logged).toEqual([]);
    expect([...reached].some((partition) => partition.includes("usage"))).toBe(true);
  });

  it("are every tenant's for nobody but the loops, and for whoever looks up keys and tokens", () => {
    expect(ownPartitions(api, "ClusterApi")).toEqual(expect.arrayContaining(["platform#installation#records"]));
    for (const role of ["PlatformApi", "AgentApi"]) expect(ownPartitions(api, role)).toBeUndefined();
    for (const role of ["OnChange", "Reconcile", "Deliver", "Meter"]) expect(ownPartitions(loops, role)).toBeUndefined();
  });

  it("are one tenant's in its session, whatever the role itself may reach", () => {
    expect(sessionPartitions("acme")).toEqual(["acme#*"]);
    const table = confinedTable(createFunctionBed().table, sessionPartitions("acme"));
    return expect(table.get({ pk: "acme2#dev#head", sk: "head" })).rejects.toThrow("AccessDenied");
  });
});
