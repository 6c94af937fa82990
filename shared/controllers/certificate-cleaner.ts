import { X509Certificate } from "node:crypto";
import { certificateSigningRequests } from "../kubernetes/known-resources.ts";
import type { CertificateSigningRequest } from "../kubernetes/types.ts";
import { isIssued, nameOf, namesOf, requestOf } from "./certificate-request-state.ts";
import type { Controller } from "./controller.ts";
import { unlessMissing } from "./failures.ts";
import { parseTime } from "./timestamp.ts";

const answeredMs = 3_600_000;
const pendingMs = 24 * 3_600_000;

/** Deletes requests that were answered an hour ago, that nobody answered for a day, and those whose certificate expired (certificates/cleaner). */
export function createCertificateCleaner(): Controller {
  return {
    name: "certificatesigningrequest-cleaner",
    allKeys: (view) => namesOf(view, () => true),
    keysOf: (change) => nameOf(change, () => true),
    async reconcile(name, { view, client, clock }) {
      const request = requestOf(view, name);
      const endMs = request && endOf(request);
      if (!request || endMs === undefined) return { kind: "done" };
      const afterMs = endMs - clock.now();
      if (afterMs > 0) return { kind: "again", afterMs };
      const { uid = "" } = request.metadata;
      await unlessMissing(client.delete(certificateSigningRequests, "", name, { uid }));
      return { kind: "done" };
    },
  };
}

/** `undefined` where it stays: approved, and its signer has not answered. */
function endOf(request: CertificateSigningRequest): number | undefined {
  const { conditions = [], certificate = "" } = request.status ?? {};
  const ends = conditions.flatMap(({ type, lastUpdateTime }) => {
    const isAnswer = type === "Denied" || type === "Failed" || (type === "Approved" && isIssued(request));
    const updatedMs = parseTime(lastUpdateTime);
    return isAnswer && updatedMs !== undefined ? [updatedMs + answeredMs] : [];
  });
  const expiresMs = conditions.some(({ type }) => type === "Approved") ? expiryOf(certificate) : undefined;
  if (expiresMs !== undefined) ends.push(expiresMs);
  const createdMs = parseTime(request.metadata.creationTimestamp);
  if (conditions.length === 0 && createdMs !== undefined) ends.push(createdMs + pendingMs);
  return ends.length === 0 ? undefined : Math.min(...ends);
}

function expiryOf(certificate: string): number | undefined {
  try {
    return certificate === "" ? undefined : new X509Certificate(Buffer.from(certificate, "base64")).validToDate.getTime();
  } catch {
    return undefined;
  }
}
