import { X509Certificate } from "node:crypto";
import type { StatusCause } from "../../status-error.ts";
import type { CertificateSigningRequest, CertificateSigningRequestCondition } from "../../types.ts";
import { duplicate, forbidden, invalid, notSupported, required } from "../field-error.ts";

const path = "status.conditions";
const decisions = ["Approved", "Denied"] as const;

type Conditions = readonly CertificateSigningRequestCondition[];
const conditionsOf = ({ status }: CertificateSigningRequest): Conditions => status?.conditions ?? [];
const count = (conditions: Conditions, wanted: string): number => conditions.filter(({ type }) => type === wanted).length;

/** `ValidateCertificateSigningRequestApprovalUpdate`; a plain update, which changes no status, has nothing to fear from it. */
export function validateSigningRequestUpdate(next: CertificateSigningRequest, live: CertificateSigningRequest): StatusCause[] {
  return [...checkConditions(next, live), ...checkRemovals(next, live)];
}

/** `ValidateCertificateSigningRequestStatusUpdate`: no decisions, and a certificate once. */
export function validateSigningRequestStatus(next: CertificateSigningRequest, live: CertificateSigningRequest): StatusCause[] {
  const [certificate, before] = [next.status?.certificate ?? "", live.status?.certificate ?? ""];
  const causes = checkConditions(next, live);
  const problem = certificate === before ? undefined : certificateProblem(certificate);
  if (problem !== undefined) causes.push(invalid("status.certificate", "<certificate data>", problem));
  causes.push(...checkRemovals(next, live));
  for (const type of decisions)
    if (count(conditionsOf(next), type) > count(conditionsOf(live), type))
      causes.push(forbidden(path, `updates may not add a condition of type ${JSON.stringify(type)}`));
  if (certificate !== before && before !== "")
    causes.push(forbidden("status.certificate", "updates may not modify existing certificate content"));
  return causes;
}

function checkRemovals(next: CertificateSigningRequest, live: CertificateSigningRequest): StatusCause[] {
  return [...decisions, "Failed"]
    .filter((type) => count(conditionsOf(next), type) < count(conditionsOf(live), type))
    .map((type) => forbidden(path, `updates may not remove a condition of type ${JSON.stringify(type)}`));
}

/** What was wrong before is let be. */
function checkConditions(next: CertificateSigningRequest, live: CertificateSigningRequest): StatusCause[] {
  const [conditions, before] = [conditionsOf(next), conditionsOf(live)];
  const mayContradict = decisions.every((type) => count(before, type) > 0);
  const mayRepeat = before.some(({ type }) => count(before, type) > 1);
  const mayBeNameless = count(before, "") > 0;
  const seen = new Set<string>();
  const causes: StatusCause[] = [];
  conditions.forEach(({ type, status }, index) => {
    const at = (field: string): string => `${path}[${index}].${field}`;
    const allowed = [...decisions, "Failed"].includes(type) ? ["True"] : ["False", "True", "Unknown"];
    if (type === "" && !mayBeNameless) causes.push(required(at("type")));
    if ((status ?? "") === "") causes.push(required(at("status")));
    else if (!allowed.includes(status)) causes.push(notSupported(at("status"), status, allowed));
    const contrary = decisions.find((other) => other !== type);
    if (decisions.some((decision) => decision === type) && contrary !== undefined && seen.has(contrary) && !mayContradict)
      causes.push(invalid(at("type"), type, "Approved and Denied conditions are mutually exclusive"));
    if (seen.has(type) && !mayRepeat) causes.push(duplicate(at("type"), type));
    seen.add(type);
  });
  return causes;
}

function certificateProblem(base64: string): string | undefined {
  const blocks = [
    ...Buffer.from(base64, "base64")
      .toString("latin1")
      .matchAll(/-----BEGIN ([^-]+)-----\n([^-]*)-----END \1-----/g),
  ];
  for (const [text, type, content = ""] of blocks) {
    if (type !== "CERTIFICATE") return `only CERTIFICATE PEM blocks are allowed, found ${JSON.stringify(type)}`;
    if (content.includes(":")) return "no PEM block headers are permitted";
    try {
      new X509Certificate(text);
    } catch {
      return "x509: malformed certificate";
    }
  }
  return base64 !== "" && blocks.length === 0 ? "must contain at least one CERTIFICATE PEM block" : undefined;
}
