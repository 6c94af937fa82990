import { once } from "node:events";
import { createServer, type IncomingMessage, type Server } from "node:http";
import { connect as connectTcp, type Socket } from "node:net";
import { Readable } from "node:stream";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { serveCluster } from "../../../shared/api/cluster-api.ts";
import { ConnectError, type ConnectTarget } from "../../../shared/api/pod-streams.ts";
import { type ApiResponse, isStream, isUpgrade } from "../../../shared/api/response.ts";
import type { UserInfo } from "../../../shared/auth/user.ts";
import { createHarness, type Harness } from "./harness.ts";

const admin: UserInfo = { username: "admin", groups: ["system:masters"] };
const base = "/api/v1/namespaces/default";
let api: Harness;
let backend: Server;
/** What the node, or what listens in a pod, does with a request. */
let serve: Parameters<typeof createServer>[1] = (_request, response) => void response.end("served");
const connected: { readonly nodeName: string; readonly target: ConnectTarget }[] = [];
const reviews: { readonly operation: string; readonly object: unknown; readonly [field: string]: unknown }[] = [];
let allowed = true;

const call = async (method: string, path: string, body: object): Promise<void> => {
  const { status, text } = await api.call(method, path, body);
  expect(status, text).toBeLessThan(300);
};
const pod = (name: string, spec: object = {}) => ({
  metadata: { name, labels: { app: name } },
  spec: { containers: [{ name: "main", image: "i", ports: [{ containerPort: 8080 }] }], ...spec },
});

beforeAll(async () => {
  backend = createServer((request, response) => serve?.(request, response));
  backend.on("upgrade", (request: IncomingMessage, socket: Socket) => {
    if (request.url?.startsWith("/refuse")) return socket.end("HTTP/1.1 400 Bad Request\r\nContent-Length: 4\r\n\r\nno.\n");
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\nX-Path: ${request.url}\r\n\r\n`);
    socket.pipe(socket);
  });
  backend.listen(0, "127.0.0.1");
  await once(backend, "listening");
  const address = backend.address();
  const port = typeof address === "object" ? (address?.port ?? 0) : 0;
  api = await createHarness({
    webhooks: {
      async call(_target, body) {
        const { request } = JSON.parse(body.toString());
        reviews.push(request);
        const response = { uid: request.uid, allowed, status: { message: "not into these" } };
        return { status: 200, body: Buffer.from(JSON.stringify({ apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview", response })) };
      },
    },
  });
  Object.assign(api.served, {
    podStreams: {
      log: () => Promise.reject(new Error("no logs")),
      async connect(nodeName: string, target: ConnectTarget) {
        connected.push({ nodeName, target });
        if (target.kind === "pod" && target.port === 1) throw new ConnectError("dial tcp 10.1.2.3:1: connect: connection refused");
        return connectTcp({ port, host: "127.0.0.1", allowHalfOpen: true });
      },
    },
  });
  await call("POST", "/api/v1/nodes", { metadata: { name: "n1" }, status: { addresses: [{ type: "InternalIP", address: "10.9.9.9" }] } });
  for (const each of [
    pod("box", { nodeName: "n1" }),
    pod("two", {
      nodeName: "n1",
      containers: [
        { name: "a", image: "i" },
        { name: "b", image: "i" },
      ],
    }),
    pod("waits"),
  ])
    await call("POST", `${base}/pods`, each);
  const status = { phase: "Running", podIP: "10.1.2.3", podIPs: [{ ip: "10.1.2.3" }] };
  await api.call("PATCH", `${base}/pods/box/status`, { status }, { "content-type": "application/merge-patch+json" });
  await call("POST", `${base}/services`, { metadata: { name: "web" }, spec: { ports: [{ name: "http", port: 80, targetPort: 8080 }] } });
  await call("POST", `${base}/endpoints`, {
    metadata: { name: "web" },
    subsets: [
      {
        addresses: [
          { ip: "10.1.2.3", targetRef: { kind: "Pod", namespace: "default", name: "box" } },
          { ip: "10.7.7.7", targetRef: { kind: "Pod", namespace: "default", name: "box" } },
        ],
        ports: [{ name: "http", port: 8080 }],
      },
    ],
  });
});
afterAll(async () => {
  await api.close();
  backend.close();
});
beforeEach(() => {
  connected.length = 0;
  reviews.length = 0;
  allowed = true;
  serve = (_request, response) => void response.end("served");
});

interface Asked {
  readonly headers?: Record<string, string>;
  readonly body?: string;
  readonly upgradable?: boolean;
  readonly user?: UserInfo;
}
interface Answer extends ApiResponse {
  readonly text: string;
  readonly message: string | undefined;
}

async function ask(method: string, url: string, { headers = {}, body, upgradable = false, user = admin }: Asked = {}): Promise<Answer> {
  const framed: Record<string, string> = body === undefined ? {} : { "content-length": String(body.length) };
  const all: Record<string, string> = { host: "api.example:7443", authorization: "Bearer secret", ...framed, ...headers };
  const answer = await serveCluster(
    api.served,
    {
      method,
      url,
      root: "/clusters/c1",
      clientAddress: "203.0.113.9",
      upgradable,
      header: (name) => all[name],
      headersFrom: (prefix) => Object.entries(all).filter(([name]) => name.startsWith(prefix)),
      body: async () => Buffer.from(body ?? ""),
      stream: () => Readable.from(body === undefined ? [] : [Buffer.from(body)]),
    },
    user,
    (error) => expect(error).toBeUndefined(),
  );
  const text = await textOf(answer);
  const isStatus = answer.headers["content-type"] === "application/json" && text.startsWith('{"kind":"Status"');
  return { ...answer, text, message: isStatus ? JSON.parse(text).message : undefined };
}

function textOf({ body }: ApiResponse): Promise<string> | string {
  if (isUpgrade(body)) return "";
  if (!isStream(body)) return Buffer.isBuffer(body) ? body.toString() : Buffer.concat(body).toString();
  return new Promise((resolve) => {
    let text = "";
    const write = (chunk: Buffer): boolean => {
      text += chunk.toString();
      return true;
    };
    body.start({ write, drained: async () => {}, end: () => resolve(text), abort: () => resolve(`${text} (cut off)`) });
  });
}

describe("exec, attach and portforward", () => {
  it("go on to the node's server with what was asked for, and without the client's credentials", async () => {
    const headers = {
      connection: "Upgrade",
      upgrade: "echo",
      "x-stream-protocol-version": "v4.channel.k8s.io",
    };
    const query = "command=a&command=b+c&stdin=true&stdout=1&stderr&tty=false&container=main";
    const answer = await ask("POST", `${base}/pods/box/exec?${query}`, { headers, upgradable: true });
    expect(answer.status).toBe(101);
    expect(connected).toEqual([{ nodeName: "n1", target: { kind: "node" } }]);
    const uid = (await api.call("GET", `${base}/pods/box`)).body.metadata.uid;
    expect(answer.headers["x-path"]).toBe(`/exec/default/box/${uid}/main?input=1&output=1&error=1&command=a&command=b+c`);
    const forward = await ask("GET", `${base}/pods/box/portforward?ports=80&ports=81`, { headers, upgradable: true });
    expect(forward.headers["x-path"]).toBe(`/portForward/default/box/${uid}?port=80%2C81`);
  });

  it("are joined with the client's connection until one of both ends", async () => {
    const headers = { connection: "Upgrade", upgrade: "echo" };
    const { body } = await ask("GET", `${base}/pods/box/attach?stdout=true`, { headers, upgradable: true });
    if (!isUpgrade(body)) throw new Error("not upgraded");
    const [client, near] = await pair();
    body.take(near);
    client.write("hello");
    expect(String((await once(client, "data"))[0])).toBe("hello");
    client.end();
    await once(client, "close");
    expect(near.destroyed).toBe(true);
  });

  it("are refused in kube-apiserver's words", async () => {
    const refusal = async (path: string, asked: Asked = { upgradable: true }, method = "POST") => {
      const { status, message } = await ask(method, `${base}/pods/${path}`, asked);
      return [status, message];
    };
    expect(await refusal("none/exec?command=x&stdout=1")).toEqual([404, 'pods "none" not found']);
    expect(await refusal("box/exec?command=x&stdout=1&container=other")).toEqual([400, "container other is not valid for pod box"]);
    expect(await refusal("two/attach?stdout=1")).toEqual([400, "a container name must be specified for pod two, choose one of: [a b]"]);
    expect(await refusal("waits/exec?command=x&stdout=1")).toEqual([400, "pod waits does not have a host assigned"]);
    expect(await refusal("waits/portforward")).toEqual([400, "pod waits does not have a host assigned"]);
    expect(await refusal("box/exec?command=x&stdout=1", {})).toEqual([400, "Upgrade request required"]);
    expect(await refusal("box/exec?command=x&stdout=1&dryRun=All")).toEqual([400, "dryRun is not supported"]);
    expect(await refusal("box/portforward?ports=http")).toEqual([400, 'strconv.ParseInt: parsing "http": invalid syntax']);
    expect(await refusal("box/exec", {}, "PUT")).toEqual([405, "the server does not allow this method on the requested resource"]);
    expect(connected).toEqual([]);
  });

  it("pass on what the node refuses", async () => {
    const { connect } = api.served.podStreams;
    serve = (_request, response) => void response.writeHead(404, { "content-type": "text/plain" }).end("pod not found\n");
    const upgrades = backend.listeners("upgrade");
    backend.removeAllListeners("upgrade");
    const answer = await ask("POST", `${base}/pods/box/exec?command=x&stdout=1`, {
      upgradable: true,
      headers: { connection: "Upgrade", upgrade: "SPDY/3.1" },
    });
    for (const listener of upgrades) backend.on("upgrade", listener as () => void);
    expect([answer.status, answer.text, connect !== undefined]).toEqual([404, "pod not found\n", true]);
  });

  it("need the verb of their method: a WebSocket is a get, SPDY a create", async () => {
    const rbac = "/apis/rbac.authorization.k8s.io/v1/namespaces/default";
    await call("POST", `${rbac}/roles`, {
      metadata: { name: "sockets" },
      rules: [{ apiGroups: [""], resources: ["pods/exec"], verbs: ["get"] }],
    });
    const subjects = [{ kind: "User", name: "eve", apiGroup: "rbac.authorization.k8s.io" }];
    await call("POST", `${rbac}/rolebindings`, {
      metadata: { name: "sockets" },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "sockets" },
      subjects,
    });
    const eve = { username: "eve", groups: ["system:authenticated"] };
    const headers = { connection: "Upgrade", upgrade: "echo" };
    const path = `${base}/pods/box/exec?command=x&stdout=1`;
    expect((await ask("GET", path, { user: eve, headers, upgradable: true })).status).toBe(101);
    const refused = await ask("POST", path, { user: eve, headers, upgradable: true });
    expect([refused.status, refused.message]).toEqual([
      403,
      'pods "box" is forbidden: User "eve" cannot create resource "pods/exec" in API group "" in the namespace "default"',
    ]);
  });

  /** Asked of a host that holds none. */
  const askWithout = async (known: { connectionsUrl?: string }, ...asked: Parameters<typeof ask>) => {
    const before = api.served.podStreams;
    const { connect: _, ...rest } = before;
    Object.assign(api.served, { podStreams: { ...rest, ...known } });
    try {
      return await ask(...asked);
    } finally {
      Object.assign(api.served, { podStreams: before });
    }
  };

  it("are told why not, where the host holds no connections", async () => {
    const answer = await askWithout({}, "POST", `${base}/pods/box/exec?command=x&stdout=1`);
    expect([answer.status, answer.message?.split(":")[0]]).toEqual([405, "this address holds no connections to nodes"]);
    expect((await askWithout({}, "GET", `${base}/pods/box/proxy/`)).status).toBe(405);
  });

  it("are led, method and query kept, to the servers that hold them, where the host knows of some; whoever may not is refused here", async () => {
    const elsewhere = { connectionsUrl: "https://watch.example.com" };
    for (const [method, path] of [
      ["POST", `${base}/pods/box/exec?command=x&stdout=1`],
      ["GET", `${base}/pods/box/portforward?ports=80`],
      ["PUT", `${base}/services/web:http/proxy/a%20b?c=d`],
    ] as const) {
      const { status, headers } = await askWithout(elsewhere, method, path);
      expect([status, headers.location]).toEqual([307, `https://watch.example.com/clusters/c1${path}`]);
    }
    const mallory = { username: "mallory", groups: ["system:authenticated"] };
    expect((await askWithout(elsewhere, "POST", `${base}/pods/box/exec?command=x`, { user: mallory })).status).toBe(403);
    expect((await askWithout(elsewhere, "DELETE", `${base}/pods/box/exec?command=x`)).status).toBe(405);
  });
});

describe("admission of connections", () => {
  const hooks = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations";
  const hook = {
    name: "exec.example.com",
    admissionReviewVersions: ["v1"],
    sideEffects: "None",
    clientConfig: { url: "https://hook.example.com/" },
    rules: [{ apiGroups: [""], apiVersions: ["v1"], operations: ["CONNECT"], resources: ["pods/exec", "services/proxy"] }],
  };

  it("sees their options, and may refuse them", async () => {
    await call("POST", hooks, { metadata: { name: "exec" }, webhooks: [hook] });
    allowed = false;
    const refused = await ask("POST", `${base}/pods/box/exec?command=sh&stdin=true&container=main`, { upgradable: true });
    expect([refused.status, refused.message]).toEqual([400, 'admission webhook "exec.example.com" denied the request: not into these']);
    expect(reviews[0]).toMatchObject({
      operation: "CONNECT",
      kind: { group: "", version: "v1", kind: "PodExecOptions" },
      resource: { resource: "pods" },
      subResource: "exec",
      name: "box",
      namespace: "default",
      options: null,
    });
    expect(reviews[0]?.object).toEqual({ kind: "PodExecOptions", apiVersion: "v1", stdin: true, container: "main", command: ["sh"] });
    expect((await ask("GET", `${base}/services/web:http/proxy/a/b`)).status).toBe(400);
    expect(reviews[1]?.object).toEqual({ kind: "ServiceProxyOptions", apiVersion: "v1", path: "/a/b" });
    expect((await ask("GET", `${base}/pods/box/proxy/`)).status).toBe(200);
    expect(connected.map(({ target }) => target.kind)).toEqual(["pod"]);
    expect((await api.call("DELETE", `${hooks}/exec`)).status).toBe(200);
  });
});

describe("proxy", () => {
  const heard: { method: string | undefined; url: string | undefined; headers: IncomingMessage["headers"]; body: string }[] = [];
  beforeEach(() => {
    heard.length = 0;
    serve = async (request, response) => {
      let body = "";
      for await (const chunk of request) body += chunk;
      heard.push({ method: request.method, url: request.url, headers: request.headers, body });
      response.writeHead(200, {
        "x-own": "yes",
        "set-cookie": ["a=1", "b=2"],
        "access-control-allow-origin": "*",
        connection: "close, x-hop",
        "x-hop": "1",
      });
      response.end("served");
    };
  });

  it("hands method, path, query, headers and body on, and the answer back, without what is of one hop", async () => {
    const headers = { "x-mine": "1", te: "trailers", connection: "keep-alive, x-gone", "x-gone": "1", "x-forwarded-for": "192.0.2.1" };
    const answer = await ask("PUT", `${base}/pods/box:9000/proxy/a%20b/../c/?q=1&q=%2F`, { headers, body: "text" });
    expect(connected[0]).toMatchObject({ nodeName: "n1", target: { kind: "pod", port: 9000 } });
    expect([answer.status, answer.text, answer.cookies]).toEqual([200, "served", ["a=1", "b=2"]]);
    expect(answer.headers).toMatchObject({ "x-own": "yes" });
    expect(Object.keys(answer.headers)).not.toEqual(expect.arrayContaining(["access-control-allow-origin"]));
    expect(answer.headers["x-hop"]).toBeUndefined();
    const { method, url, body, headers: got = {} } = heard[0] ?? {};
    expect([method, url, body]).toEqual(["PUT", "/c/?q=1&q=%2F", "text"]);
    expect(got).toMatchObject({ "x-mine": "1", host: "api.example:7443", "x-forwarded-for": "192.0.2.1, 203.0.113.9" });
    for (const name of ["authorization", "te", "x-gone"]) expect(got[name]).toBeUndefined();
  });

  it("frames a body anew whatever the method, so that it is no request of its own", async () => {
    const smuggled = "POST /other HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n";
    await ask("GET", `${base}/pods/box/proxy/one`, { headers: { "transfer-encoding": "chunked" }, body: smuggled });
    expect(heard.map(({ method, url, body }) => [method, url, body])).toEqual([["GET", "/one", smuggled]]);
  });

  it("asks for a slash behind its own path", async () => {
    const answer = await ask("GET", `${base}/services/web:80/proxy?a=b`);
    expect([answer.status, answer.headers.location]).toEqual([301, `/clusters/c1${base}/services/web:80/proxy/?a=b`]);
  });

  it("goes to a service's pods alone, by the port's number or name", async () => {
    for (const name of ["web:80", "web:http", "http:web:80"]) {
      expect((await ask("GET", `${base}/services/${name}/proxy/`)).text).toBe("served");
      expect(connected.pop()).toMatchObject({ nodeName: "n1", target: { kind: "pod", port: 8080 } });
    }
  });

  it("goes to the node's server, or to a port of the machine", async () => {
    for (const [name, target] of [
      ["n1", { kind: "node" }],
      ["n1:10250", { kind: "node" }],
      ["n1:9100", { kind: "machine", port: 9100 }],
    ] as const) {
      expect((await ask("GET", `/api/v1/nodes/${name}/proxy/x`)).status).toBe(200);
      expect(connected.pop()).toEqual({ nodeName: "n1", target });
    }
  });

  it("tells what is not there in kube-apiserver's words", async () => {
    const refusal = async (path: string) => {
      const { status, message } = await ask("GET", path);
      return [status, message];
    };
    expect(await refusal(`${base}/pods/box:1/proxy/`)).toEqual([
      503,
      "error trying to reach service: dial tcp 10.1.2.3:1: connect: connection refused",
    ]);
    expect(await refusal(`${base}/pods/none/proxy/`)).toEqual([404, 'pods "none" not found']);
    expect(await refusal(`${base}/pods/waits/proxy/`)).toEqual([400, "address not allowed"]);
    expect(await refusal(`${base}/pods/ftp:box:1/proxy/`)).toEqual([400, 'invalid pod request "ftp:box:1"']);
    expect(await refusal(`${base}/services/web:81/proxy/`)).toEqual([503, 'no service port 81 found for service "web"']);
    expect(await refusal(`${base}/services/web/proxy/`)).toEqual([503, 'no endpoints available for service "web"']);
    expect(await refusal(`${base}/services/none/proxy/`)).toEqual([404, 'endpoints "none" not found']);
    expect(await refusal("/api/v1/nodes/none/proxy/")).toEqual([404, 'nodes "none" not found']);
  });

  it("rewrites places of the same server, in headers and in pages", async () => {
    const prefix = `/clusters/c1${base}/pods/box/proxy`;
    serve = (request, response) => {
      if (request.url === "/moved") return void response.writeHead(302, { location: "/there/?x=1" }).end();
      if (request.url === "/away") return void response.writeHead(302, { location: "https://elsewhere.example/" }).end();
      response.writeHead(200, { "content-type": "text/html; charset=utf-8" });
      response.end(
        `<A HREF='/one?a=b&amp;c'>x</A><img src=two><a href="http://10.1.2.3:8080/three">y</a><a href="//other/">z</a><script>"<a href='/no'>"</script><!-- <a href="/no"> -->é`,
      );
    };
    const at = (path: string) => ask("GET", `${base}/pods/box/proxy${path}`);
    expect((await at("/moved")).headers.location).toBe(`${prefix}/there/?x=1`);
    expect((await at("/away")).headers.location).toBe("https://elsewhere.example/");
    expect((await at("/page")).text).toBe(
      `<A HREF="${prefix}/one?a=b&amp;c">x</A><img src=two><a href="${prefix}/three">y</a><a href="//other/">z</a><script>"<a href='/no'>"</script><!-- <a href="/no"> -->é`,
    );
  });

  it("lets an answer that breaks off break off", async () => {
    serve = (_request, response) => {
      response.writeHead(200, { "content-length": "100" });
      response.write("half", () => response.destroy());
    };
    expect((await ask("GET", `${base}/pods/box/proxy/`)).text).toBe("half (cut off)");
  });

  it("passes upgrades on, and refusals of them", async () => {
    const headers = { connection: "Upgrade", upgrade: "echo" };
    const answer = await ask("GET", `${base}/pods/box/proxy/socket?a=b`, { headers, upgradable: true });
    expect([answer.status, answer.headers["x-path"]]).toEqual([101, "/socket?a=b"]);
    const refused = await ask("GET", `${base}/pods/box/proxy/refuse`, { headers, upgradable: true });
    expect([refused.status, refused.text]).toEqual([400, "no.\n"]);
  });
});

async function pair(): Promise<[Socket, Socket]> {
  const { createServer: listen } = await import("node:net");
  const server = listen({ allowHalfOpen: true }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const accepted = once(server, "connection") as Promise<[Socket]>;
  const client = connectTcp({ port: typeof address === "object" ? (address?.port ?? 0) : 0, host: "127.0.0.1" });
  const [near] = await accepted;
  server.close();
  return [client, near];
}
