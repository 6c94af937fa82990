import "reflect-metadata";
import { KeyObject } from "node:crypto";
import { Pkcs10CertificateRequestGenerator } from "@peculiar/x509";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { CertificateSigningRequest, Pod } from "../../../../shared/kubernetes/types.ts";
import { eventually, untilTrue } from "../../../e2e/eventually.ts";
import { createHttp } from "../../../e2e/http.ts";
import { createFunctionBed, drainStream } from "../../functions/function-bed.ts";
import { machine } from "../../functions/machine.ts";
import { configMap, configMaps, endsInOrder, watching, watchOfConfigMaps } from "../told-to-end.ts";
import { answered, createCluster, createContainerBed, type Process } from "./container-bed.ts";

describe("several server processes over one table", () => {
  const servers = createContainerBed();
  let one: Process;
  let two: Process;
  let made: Awaited<ReturnType<typeof createCluster>>;
  beforeAll(async () => {
    [one, two] = await Promise.all([servers.start(), servers.start()]);
    made = await createCluster(servers, one);
  });
  afterAll(() => servers.stop());

  it("show each other's writes, in one order", async () => {
    const seen = watching(two.as(made.token), `${made.path}${watchOfConfigMaps}&resourceVersion=1`);
    const writer = one.as(made.token);
    for (const name of ["a", "b", "c"])
      answered(await writer.send(`${made.path}${configMaps}`, { method: "POST", body: configMap(name) }), 201);
    await untilTrue("the watch shows them", async () => seen.events.length === 3);
    expect(seen.events.map(({ object }) => object.metadata.name)).toEqual(["a", "b", "c"]);
    expect((await two.as(made.token).send(`${made.path}${configMaps}/c`)).status).toBe(200);
  });

  it("place the pods of a controller, whoever is asked for it", async () => {
    const joined = answered(
      await two.as("none").send("/agent/v1/join", { method: "POST", body: { token: made.joinToken, node: machine("n1") } }),
      201,
    ).json<{ credential: string }>();
    answered(await two.as(joined.credential).send("/agent/v1/sync", { method: "POST", body: { marks: {} } }), 200);
    const template = { metadata: { labels: { app: "web" } }, spec: { containers: [{ name: "main", image: "x" }] } };
    const controller = { apiVersion: "v1", kind: "ReplicationController", metadata: { name: "web" } };
    const spec = { replicas: 3, selector: { app: "web" }, template };
    const path = `${made.path}/api/v1/namespaces/default`;
    answered(await one.as(made.token).send(`${path}/replicationcontrollers`, { method: "POST", body: { ...controller, spec } }), 201);
    await untilTrue("the pods are bound", async () => {
      const { items } = (await two.as(made.token).send(`${path}/pods`)).json<{ items: Pod[] }>();
      return items.length === 3 && items.every((pod) => pod.spec?.nodeName === "n1");
    });
  });

  it("finish what the platform API began", async () => {
    const platform = one.as(made.key);
    const { id } = answered(await platform.send("/v1/clusters", { method: "POST", body: { name: "brief" } }), 201).json<{ id: string }>();
    answered(await platform.send(`/v1/clusters/${id}`, { method: "DELETE" }), 202);
    await untilTrue("the cluster has gone", async () => (await platform.send(`/v1/clusters/${id}`)).status === 404);
  });

  it("know who has a certificate of the cluster's own authority, whichever of them signed it", async () => {
    const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
    const keys = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
    const request = await Pkcs10CertificateRequestGenerator.create({ name: [{ CN: ["jane"] }], keys, signingAlgorithm: algorithm });
    const path = `${made.path}/apis/certificates.k8s.io/v1/certificatesigningrequests`;
    const spec = {
      request: Buffer.from(request.toString("pem")).toString("base64"),
      ...{ signerName: "kubernetes.io/kube-apiserver-client", usages: ["client auth"] },
    };
    const admin = one.as(made.token);
    const asked = { apiVersion: "certificates.k8s.io/v1", kind: "CertificateSigningRequest", metadata: { name: "jane" }, spec };
    const csr = answered(await admin.send(path, { method: "POST", body: asked }), 201).json<CertificateSigningRequest>();
    const conditions = [{ type: "Approved", status: "True", reason: "Test", message: "test" }];
    answered(await admin.send(`${path}/jane/approval`, { method: "PUT", body: { ...csr, status: { conditions } } }), 200);
    const cert = await eventually(
      "the certificate",
      async () => (await admin.send(`${path}/jane`)).json<CertificateSigningRequest>().status?.certificate,
    );
    const key = KeyObject.from(keys.privateKey).export({ type: "pkcs8", format: "pem" }).toString();
    const identity = { cert: Buffer.from(cert, "base64").toString(), key };
    for (const { container } of [one, two]) {
      const client = createHttp(container.url, container.caPem, "none", identity);
      expect((await client.send(`${made.path}${configMaps}`)).text).toContain('User \\"jane\\" cannot list resource');
      client.close();
    }
  });

  it("say nothing of errors", () => {
    expect(servers.bed.logged).toEqual([]);
  });
});

describe("a server process that is told to end", () => {
  it("is not ready any more, ends its watches with a bookmark, and finishes what is under way", async () => {
    const servers = createContainerBed();
    const [one, two] = await Promise.all([servers.start(), servers.start()]);
    const made = await createCluster(servers, one);
    const client = one.as(made.token);
    expect((await client.send("/readyz", { token: "none" })).status).toBe(200);
    await endsInOrder({ client, path: made.path, close: () => one.close(), elsewhere: async () => two.as(made.token) });
    await servers.stop();
  });
});

describe("a hundred watches of a server that ends", () => {
  it("have each all of its end, however fast they are ended", async () => {
    const servers = createContainerBed();
    const server = await servers.start({ CORACLE_LOOPS: "off" });
    const made = await createCluster(servers, server);
    const client = server.as(made.token);
    answered(await client.send(`${made.path}${configMaps}`, { method: "POST", body: configMap("first") }), 201);
    const seen = Array.from({ length: 100 }, () => watching(client, `${made.path}${watchOfConfigMaps}`));
    await untilTrue("all have begun", async () => seen.every(({ events }) => events.length > 0));
    const wide = { ...configMap("wide"), data: { wide: "x".repeat(300_000) } };
    answered(await client.send(`${made.path}${configMaps}`, { method: "POST", body: wide }), 201);
    await server.close();
    await Promise.all(seen.map(({ ended }) => ended));
    expect(seen.filter(({ events }) => events.map(({ type }) => type).join() !== "ADDED,ADDED,BOOKMARK")).toEqual([]);
  });
});

describe("server processes beside the functions", () => {
  const bed = createFunctionBed({ variables: { CORACLE_CLUSTER_API_URL: "" } });
  const servers = createContainerBed(bed);
  afterAll(() => servers.stop());

  it("serve what the functions made, and leave the loops to them where they are told to", async () => {
    const server = await servers.start({ CORACLE_LOOPS: "off", CORACLE_SURFACES: "cluster" });
    const functions = bed.instance();
    const { createCluster: createByFunctions } = await import("../../functions/function-bed.ts");
    const made = await createByFunctions(bed, functions);
    const client = server.as(made.credentials.token);
    const path = `/clusters/${made.id}`;
    const seen = watching(client, `${path}${watchOfConfigMaps}&resourceVersion=1`);
    const pods = `${path}/api/v1/namespaces/default/pods`;
    const joined = (await functions.agent("POST", "/agent/v1/join", "", { token: made.join.token, node: machine("n1") })).json();
    await functions.agent("POST", "/agent/v1/sync", joined.credential, { marks: {} });
    await drainStream(bed, functions);
    const pod = { apiVersion: "v1", kind: "Pod", metadata: { name: "p" }, spec: { containers: [{ name: "main", image: "x" }] } };
    answered(await client.send(pods, { method: "POST", body: pod }), 201);
    const nodeOf = async () => (await client.send(`${pods}/p`)).json<Pod>().spec?.nodeName;
    expect(await nodeOf()).toBeUndefined();
    await drainStream(bed, functions);
    expect(await nodeOf()).toBe("n1");
    await functions.cluster("POST", `${path}${configMaps}`, made.credentials.token, configMap("by-function"));
    await untilTrue("the watch shows it", async () => seen.events.some(({ object }) => object.metadata.name === "by-function"));
    expect((await client.send("/v1/clusters", { token: made.key })).status).toBe(404);
    expect((await client.send("/agent/v1/sync", { method: "POST", body: {}, token: joined.credential })).status).toBe(404);
    // No agent calls it, so it does not wait for one.
    const refused = await client.send(`${pods}/p/exec?command=date&stdout=true`, { method: "POST" });
    expect([refused.status, refused.json<{ message: string }>().message]).toEqual([405, expect.stringContaining("logs through this one")]);
  });
});
