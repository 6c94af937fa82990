import type { Clock } from "../shared/clock.ts";
import type { Log } from "../shared/telemetry/log.ts";
import { createApiGateway, newApiKeyPair } from "./network/api-gateway.ts";
import type { ApiProxy } from "./network/api-proxy.ts";
import { certifyApiServer, type HttpTransportOptions, TransportError } from "./transport.ts";

export interface ApiAccessOptions {
  readonly transport: HttpTransportOptions;
  readonly credential: string;
  readonly ca: string | undefined;
  /** What the server said at an earlier start. Absent: it was never asked. */
  readonly known: boolean | undefined;
  readonly keep: (isGateway: boolean) => Promise<void>;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * The gateway through which pods reach the API server; `undefined` where they reach the server itself, and where a server that was never asked does not answer:
 * then the next start asks again. What is known holds without the server, so that an agent starts while that is away.
 */
export async function openApiAccess({
  transport,
  credential,
  ca,
  known,
  keep,
  clock,
  log,
}: ApiAccessOptions): Promise<ApiProxy | undefined> {
  if (known === false) return undefined;
  const keys = newApiKeyPair();
  const certify = async () => {
    const certificate = await certifyApiServer(transport, credential, keys.publicKeyPem);
    if (!certificate) throw new Error("the server certifies no keys any more");
    return certificate;
  };
  if (known === true) return createApiGateway({ keys, certify, ca, clock, log });
  try {
    const certificate = await certifyApiServer(transport, credential, keys.publicKeyPem);
    await keep(certificate !== undefined);
    return certificate && createApiGateway({ keys, certificate, certify, ca, clock, log });
  } catch (error) {
    if (!(error instanceof TransportError)) throw error;
    log.warn("the server does not say how pods reach it", { cause: String(error) });
    return undefined;
  }
}
