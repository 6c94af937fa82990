/** Where a webhook is. */
export interface WebhookTarget {
  /** `https://host[:port]/path?timeout=10s`: also what messages about it show. */
  readonly url: string;
  /** PEM; absent: the authorities that the process trusts. */
  readonly caBundle?: string;
  /** Where to connect instead of looking the host's name up: an endpoint of a Service. The certificate is still that of the host's name. */
  readonly connectTo?: { readonly address: string; readonly port: number };
}

/**
 * Port: carries an AdmissionReview to a webhook over HTTPS.
 * An address that is not public is refused unless the operator allows it; the connection goes to the very address that was looked at, so
 * that a name cannot mean another one later (DNS rebinding). Redirects are not followed. Answers are bounded.
 */
export interface WebhookCaller {
  /** The answer whatever its status. @throws Error whose message says what went wrong, in the words of Go's `net/http` where it has some */
  call(target: WebhookTarget, body: Buffer, timeoutMs: number): Promise<{ readonly status: number; readonly body: Buffer }>;
}
