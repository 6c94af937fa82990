import "reflect-metadata";
import type { webcrypto } from "node:crypto";
import { request } from "node:https";
import { Pkcs10CertificateRequestGenerator } from "@peculiar/x509";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { CertificateSigningRequest } from "../../shared/kubernetes/types.ts";
import { untilTrue } from "./eventually.ts";
import { type ServerFixture, startServer } from "./server-fixture.ts";

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const requests = "/apis/certificates.k8s.io/v1/certificatesigningrequests";
const bindings = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings";

interface Identity {
  readonly cert: string;
  readonly key: string;
}

describe("client certificates", () => {
  let server: ServerFixture;
  beforeAll(async () => {
    server = await startServer();
  });
  afterAll(() => server?.stop());

  const post = async (path: string, body: object, token?: string): Promise<void> => {
    const answer = await server.api.send(path, { method: "POST", body, ...(token !== undefined && { token }) });
    expect([answer.status, answer.status === 201 ? "" : answer.text]).toEqual([201, ""]);
  };
  const bind = (name: string, role: string, group: string): Promise<void> =>
    post(bindings, {
      ...{ apiVersion: "rbac.authorization.k8s.io/v1", kind: "ClusterRoleBinding", metadata: { name } },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: role },
      subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "Group", name: group }],
    });
  const pemOfKey = async (key: webcrypto.CryptoKey): Promise<string> => {
    const text = Buffer.from(await crypto.subtle.exportKey("pkcs8", key)).toString("base64");
    return `-----BEGIN PRIVATE KEY-----\n${text}\n-----END PRIVATE KEY-----\n`;
  };

  /** As a kubelet and `kubectl` users come to a certificate. */
  async function obtain(name: string, subject: string, signer: string, token?: string): Promise<Identity> {
    const keys = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
    const asked = await Pkcs10CertificateRequestGenerator.create({ name: subject, keys, signingAlgorithm: algorithm });
    const spec = {
      ...{ signerName: `kubernetes.io/${signer}`, usages: ["digital signature", "client auth"] },
      request: Buffer.from(asked.toString("pem")).toString("base64"),
    };
    await post(requests, { apiVersion: "certificates.k8s.io/v1", kind: "CertificateSigningRequest", metadata: { name }, spec }, token);
    const read = async () => (await server.api.send(`${requests}/${name}`)).json<CertificateSigningRequest>();
    if (token === undefined) {
      const live = await read();
      const status = { conditions: [{ type: "Approved", status: "True", reason: "Test", message: "" }] };
      await server.api.send(`${requests}/${name}/approval`, { method: "PUT", body: { ...live, status } });
    }
    let certificate = "";
    await untilTrue(`${name} is signed`, async () => {
      certificate = (await read()).status?.certificate ?? "";
      return certificate !== "";
    });
    return { cert: Buffer.from(certificate, "base64").toString(), key: await pemOfKey(keys.privateKey) };
  }

  function send(
    identity: Identity,
    path: string,
    method = "GET",
    body?: object,
  ): Promise<{ status: number; body: Record<string, unknown> }> {
    return new Promise((resolve, reject) => {
      const url = new URL(`${server.url}/clusters/default${path}`);
      const headers = body === undefined ? {} : { "content-type": "application/json" };
      const outgoing = request(url, { method, headers, ...identity, rejectUnauthorized: false, agent: false }, async (incoming) => {
        const text = Buffer.concat(await incoming.toArray()).toString();
        resolve({ status: incoming.statusCode ?? 0, body: JSON.parse(text) });
      });
      outgoing.once("error", reject).end(body === undefined ? undefined : JSON.stringify(body));
    });
  }

  it("log their user in, with their organizations as groups", async () => {
    await bind("devs-view", "view", "devs");
    const jane = await obtain("jane", "O=devs, CN=jane", "kube-apiserver-client");
    expect((await send(jane, "/api/v1/namespaces/default/pods")).status).toBe(200);
    expect(await send(jane, "/api/v1/nodes")).toMatchObject({
      status: 403,
      body: { message: expect.stringContaining('User "jane" cannot list') },
    });
  });

  it("of strangers are refused", async () => {
    const jane = await obtain("jane-again", "O=devs, CN=jane", "kube-apiserver-client");
    const other = await startServer();
    try {
      const elsewhere = new URL(other.url);
      const status = await new Promise<number>((resolve, reject) => {
        const url = new URL(`/clusters/default/api/v1/namespaces/default/pods`, elsewhere);
        request(url, { ...jane, rejectUnauthorized: false, agent: false }, (incoming) => {
          incoming.resume();
          resolve(incoming.statusCode ?? 0);
        })
          .once("error", reject)
          .end();
      });
      expect(status).toBe(401);
    } finally {
      await other.stop();
    }
  });

  it("make a node of a machine that knows a bootstrap token, and that node can speak for itself alone", async () => {
    const token = "abcdef.0123456789abcdef";
    const [id = "", secret = ""] = token.split(".");
    const stringData = { "token-id": id, "token-secret": secret, "usage-bootstrap-authentication": "true" };
    await post("/api/v1/namespaces/kube-system/secrets", {
      ...{ apiVersion: "v1", kind: "Secret", type: "bootstrap.kubernetes.io/token", metadata: { name: `bootstrap-token-${id}` } },
      stringData,
    });
    await bind("bootstrappers-ask", "system:node-bootstrapper", "system:bootstrappers");
    const approves = "system:certificates.k8s.io:certificatesigningrequests:nodeclient";
    await bind("bootstrappers-get", approves, "system:bootstrappers");
    const node = await obtain("csr-n1", "O=system:nodes, CN=system:node:n1", "kube-apiserver-client-kubelet", token);
    const made = await send(node, "/api/v1/nodes", "POST", { apiVersion: "v1", kind: "Node", metadata: { name: "n1" } });
    expect(made).toMatchObject({ status: 201, body: { metadata: { name: "n1" } } });
    expect((await send(node, "/api/v1/pods?fieldSelector=spec.nodeName%3Dn1")).status).toBe(200);
    expect(await send(node, "/api/v1/nodes", "POST", { apiVersion: "v1", kind: "Node", metadata: { name: "n2" } })).toMatchObject({
      status: 403,
      body: { message: expect.stringContaining('node "n1" is not allowed to modify node "n2"') },
    });
  });
});
