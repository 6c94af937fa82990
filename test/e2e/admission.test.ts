import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { networkInterfaces } from "node:os";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createCertificateAuthority, issueServerCertificate } from "../../shared/auth/certificate-authority.ts";
import { itWith, type Need } from "./needs.ts";
import { type ServerFixture, startServer } from "./server-fixture.ts";

interface Status {
  readonly message: string;
}
interface ConfigMap {
  readonly data: Record<string, string>;
}

/** A webhook as people write them: HTTPS with an authority of its own, denies `forbidden`, adds to everything else. */
async function startWebhook(): Promise<{ server: Server; url: string; port: number; caBundle: string }> {
  const authority = await createCertificateAuthority({ commonName: "hooks", notBefore: Date.now() });
  const certificate = await issueServerCertificate({
    ...{ caKeyPem: authority.keyPem, caPem: authority.certificatePem, notBefore: Date.now(), days: 1 },
    ...{ dnsNames: ["hook.default.svc"], ips: ["127.0.0.1"] },
  });
  const server = createServer({ key: certificate.keyPem, cert: certificate.certificatePem }, async (incoming, outgoing) => {
    const { request, ...review } = JSON.parse(await text(incoming)) as { request: { uid: string; object: { metadata: { name: string } } } };
    const patch = [{ op: "add", path: "/data", value: { added: "by the webhook" } }];
    const denied = request.object.metadata.name === "forbidden";
    const response = denied
      ? { uid: request.uid, allowed: false, status: { message: "not this one" } }
      : { uid: request.uid, allowed: true, patchType: "JSONPatch", patch: Buffer.from(JSON.stringify(patch)).toString("base64") };
    outgoing.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ ...review, response }));
  });
  await new Promise<void>((resolve) => server.listen(0, "0.0.0.0", resolve));
  const { port } = server.address() as AddressInfo;
  const caBundle = Buffer.from(authority.certificatePem).toString("base64");
  return { server, url: `https://127.0.0.1:${port}/ask`, port, caBundle };
}

/** Endpoints may not be loopback addresses. */
const address = Object.values(networkInterfaces())
  .flat()
  .find((each) => each?.family === "IPv4" && !each.internal)?.address;

const ownAddress: Need = { name: "own address", missing: address === undefined ? "no address but loopback" : undefined };

const configurations = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations";
const configMaps = "/api/v1/namespaces/default/configmaps";
const configuration = (name: string, clientConfig: object) => ({
  metadata: { name },
  webhooks: [
    {
      name: `${name}.example.com`,
      admissionReviewVersions: ["v1"],
      sideEffects: "None",
      clientConfig,
      rules: [{ apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["configmaps"] }],
    },
  ],
});

describe("admission webhooks over HTTPS", () => {
  let hook: Awaited<ReturnType<typeof startWebhook>>;
  beforeAll(async () => {
    hook = await startWebhook();
  });
  afterAll(() => {
    hook?.server.closeAllConnections();
    hook?.server.close();
  });

  describe("where the operator allows their network", () => {
    let server: ServerFixture;
    beforeAll(async () => {
      server = await startServer({
        environment: { CORACLE_WEBHOOK_NETWORKS: `127.0.0.1/32${address === undefined ? "" : `,${address}/32`}` },
      });
    });
    afterAll(() => server?.stop());
    const post = (path: string, body: object) => server.api.send(path, { method: "POST", body });

    it("change and refuse what is created", async () => {
      const { url, caBundle } = hook;
      expect((await post(configurations, configuration("direct", { url, caBundle }))).status).toBe(201);
      const made = await post(configMaps, { metadata: { name: "welcome" } });
      expect(made.json<ConfigMap>().data).toEqual({ added: "by the webhook" });
      const denied = await post(configMaps, { metadata: { name: "forbidden" } });
      expect([denied.status, denied.json<Status>().message]).toEqual([
        400,
        'admission webhook "direct.example.com" denied the request: not this one',
      ]);
      await server.api.send(`${configurations}/direct`, { method: "DELETE" });
    });

    itWith([ownAddress], "are found behind a Service, and nowhere else", async () => {
      const base = "/api/v1/namespaces/default";
      const subsets = (ip: string) => [{ addresses: [{ ip }], ports: [{ port: hook.port }] }];
      await post(`${base}/services`, { metadata: { name: "hook" }, spec: { ports: [{ port: 443 }] } });
      await post(`${base}/endpoints`, { metadata: { name: "hook" }, subsets: subsets(address ?? "") });
      const service = { namespace: "default", name: "hook", path: "/ask" };
      await post(configurations, configuration("service", { service, caBundle: hook.caBundle }));
      const made = await post(configMaps, { metadata: { name: "by-service" } });
      expect(made.json<ConfigMap>().data).toEqual({ added: "by the webhook" });
      await server.api.send(`${base}/endpoints/hook`, {
        method: "PUT",
        body: { metadata: { name: "hook" }, subsets: subsets("10.9.9.9") },
      });
      const refused = await post(configMaps, { metadata: { name: "elsewhere" } });
      expect(refused.status).toBe(500);
      expect(refused.json<Status>().message).toContain(`dial tcp 10.9.9.9:${hook.port}: the address is not public`);
    });
  });

  describe("where he does not", () => {
    let server: ServerFixture;
    beforeAll(async () => {
      server = await startServer();
    });
    afterAll(() => server?.stop());

    it("are not connected to in private networks, and their failure policy decides", async () => {
      const { url, caBundle } = hook;
      await server.api.send(configurations, { method: "POST", body: configuration("private", { url, caBundle }) });
      const refused = await server.api.send(configMaps, { method: "POST", body: { metadata: { name: "m" } } });
      expect(refused.status).toBe(500);
      const { message } = refused.json<Status>();
      expect(message).toContain('failed calling webhook "private.example.com": failed to call webhook: Post "https://127.0.0.1');
      expect(message).toContain("does not allow webhooks there");
    });
  });
});
