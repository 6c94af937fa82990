import type { LookupFunction } from "node:net";
import { isIP } from "node:net";
import { isPublicAddress } from "./addresses.ts";
import type { AddressRules, TransportOutcome, WebhookTransport } from "./transport.ts";

export interface ResolvedAddress {
  readonly address: string;
  readonly family: number;
}

export interface HttpTransportOptions extends AddressRules {
  /** Every address of a name. */
  readonly resolve: (hostname: string) => Promise<readonly ResolvedAddress[]>;
  readonly timeoutMs?: number;
}

const defaultTimeoutMs = 15_000;
const refused = "the address is not one of the public internet";

/**
 * Sends over HTTP. A name is resolved once, what it leads to is checked, and the connection goes to an address that was checked: a name that answers
 * differently the second time (DNS rebinding) gains nothing. A single address that is not public makes the whole name refused.
 */
export function createHttpTransport({ resolve, allowPrivate, timeoutMs = defaultTimeoutMs }: HttpTransportOptions): WebhookTransport {
  const lookup: LookupFunction = (hostname, options, callback) => {
    resolve(hostname).then(
      (addresses) => {
        const [first] = addresses;
        if (!first) return callback(new Error("the name has no address"), "", 0);
        if (!allowPrivate && !addresses.every(({ address }) => isPublicAddress(address))) return callback(new Error(refused), "", 0);
        if (options.all) callback(null, [...addresses]);
        else callback(null, first.address, first.family);
      },
      () => callback(new Error("the name cannot be resolved"), "", 0),
    );
  };

  return {
    async post(url, headers, body) {
      const target = new URL(url);
      const literal = target.hostname.replace(/^\[|\]$/g, "");
      if (!allowPrivate && isIP(literal) !== 0 && !isPublicAddress(literal)) return { kind: "failed", message: refused };
      const { request } = target.protocol === "https:" ? await import("node:https") : await import("node:http");
      return new Promise<TransportOutcome>((settle) => {
        const call = request(target, {
          method: "POST",
          headers: { ...headers, "content-length": Buffer.byteLength(body) },
          agent: false,
          lookup,
          signal: AbortSignal.timeout(timeoutMs),
        });
        call.on("response", (response) => {
          // What it says beside the status concerns nobody.
          response.destroy();
          settle({ kind: "answered", status: response.statusCode ?? 0 });
        });
        call.on("error", (error: NodeJS.ErrnoException) => settle({ kind: "failed", message: reasonOf(error, timeoutMs) }));
        call.end(body);
      });
    },
  };
}

function reasonOf(error: NodeJS.ErrnoException, timeoutMs: number): string {
  if (error.name === "AbortError" || error.name === "TimeoutError") return `no answer within ${timeoutMs / 1000} s`;
  switch (error.code) {
    case "ECONNREFUSED":
      return "the connection was refused";
    case "ECONNRESET":
      return "the connection was cut";
    case undefined:
      return error.message;
    default:
      return error.code.startsWith("ERR_TLS") || error.code.includes("CERT") ? "the certificate is not in order" : "the connection failed";
  }
}
