import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createHarness, type Harness } from "./harness.ts";

const requests = "/apis/certificates.k8s.io/v1/certificatesigningrequests";
const ann = { username: "ann", uid: "u1", groups: ["system:masters", "system:authenticated"], extra: { origin: ["here"] } };
const pem = "-----BEGIN CERTIFICATE REQUEST-----\nMAcwADAAAwEA\n-----END CERTIFICATE REQUEST-----\n";
const mergePatch = { "content-type": "application/merge-patch+json" };
let api: Harness;
beforeAll(async () => {
  api = await createHarness();
});
afterAll(() => api.close());

const make = (name: string) =>
  api.call(
    "POST",
    requests,
    {
      metadata: { name },
      spec: {
        signerName: "example.com/signer",
        usages: ["client auth"],
        request: Buffer.from(pem).toString("base64"),
        username: "somebody else",
        groups: ["system:masters"],
      },
      status: { conditions: [{ type: "Approved", status: "True" }] },
    },
    {},
    ann,
  );
const patch = (name: string, subresource: string, status: object) =>
  api.call("PATCH", `${requests}/${name}${subresource}`, { status }, mergePatch, ann);
const approved = { type: "Approved", status: "True", reason: "r", message: "m" };

describe("a certificate signing request", () => {
  it("says who asked, and comes undecided", async () => {
    const { status, body } = await make("asked");
    expect(status).toBe(201);
    expect(body.spec).toMatchObject({ username: "ann", uid: "u1", groups: ann.groups, extra: ann.extra });
    expect(body.status).toEqual({});
  });

  it("is approved through its subresource alone, which changes nothing else", async () => {
    await make("approved");
    expect((await patch("approved", "", { conditions: [approved] })).body.status).toEqual({});
    expect((await patch("approved", "/status", { conditions: [approved] })).body.message).toContain(
      'status.conditions: Forbidden: updates may not add a condition of type "Approved"',
    );
    const { body } = await patch("approved", "/approval", { conditions: [approved], certificate: "eA==" });
    const time = expect.stringMatching(/^\d{4}-.*Z$/);
    expect(body.status).toEqual({ conditions: [{ ...approved, lastUpdateTime: time, lastTransitionTime: time }] });
  });

  it("keeps a decision once made, and is not approved and denied", async () => {
    await make("decided");
    const { body } = await patch("decided", "/approval", { conditions: [approved] });
    expect((await patch("decided", "/approval", { conditions: [] })).body.message).toContain(
      'status.conditions: Forbidden: updates may not remove a condition of type "Approved"',
    );
    const denied = { ...approved, type: "Denied" };
    expect((await patch("decided", "/approval", { conditions: [...body.status.conditions, denied] })).body.message).toContain(
      'status.conditions[1].type: Invalid value: "Denied": Approved and Denied conditions are mutually exclusive',
    );
    expect((await patch("decided", "/approval", { conditions: [{ ...approved, status: "False" }] })).body.message).toContain(
      'status.conditions[0].status: Unsupported value: "False": supported values: "True"',
    );
    const failed = { type: "Failed", status: "True", reason: "no" };
    const answer = await patch("decided", "/status", { conditions: [{ ...approved, reason: "changed" }, failed] });
    expect(answer.body.status.conditions.map(({ reason }: { reason: string }) => reason)).toEqual(["r", "no"]);
  });

  it("takes a certificate through its status, and only once", async () => {
    await make("signed");
    const { createCertificateAuthority } = await import("../../../shared/auth/certificate-authority.ts");
    const certificates: string[] = [];
    for (const commonName of ["a", "b"]) {
      const { certificatePem } = await createCertificateAuthority({ commonName, notBefore: Date.now() });
      certificates.push(Buffer.from(certificatePem).toString("base64"));
    }
    expect((await patch("signed", "/status", { certificate: "eA==" })).body.message).toContain(
      'status.certificate: Invalid value: "<certificate data>": must contain at least one CERTIFICATE PEM block',
    );
    expect((await patch("signed", "/status", { certificate: certificates[0] })).body.status.certificate).toBe(certificates[0]);
    expect((await patch("signed", "/status", { certificate: certificates[1] })).body.message).toContain(
      "status.certificate: Forbidden: updates may not modify existing certificate content",
    );
  });
});
