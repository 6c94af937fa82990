export interface RequestedSubject {
  readonly commonName: string;
  readonly organizations: readonly string[];
}

/** The subject of a PKCS #10 request as `spec.request` holds it: PEM in base64. @throws Error */
export async function subjectOf(request: string): Promise<RequestedSubject> {
  // The library takes a while to load: only who asks for certificates pays for it.
  await import("reflect-metadata");
  const { Pkcs10CertificateRequest } = await import("@peculiar/x509");
  const pem = Buffer.from(request, "base64").toString("utf8");
  if (!pem.includes("-----BEGIN CERTIFICATE REQUEST-----")) throw new Error("PEM block type must be CERTIFICATE REQUEST");
  const { subjectName } = new Pkcs10CertificateRequest(pem);
  return { commonName: subjectName.getField("CN")[0] ?? "", organizations: subjectName.getField("O") };
}
