/** How a message gets to its receiver. */
export interface WebhookTransport {
  /** Resolves with what the receiver answered, or why it could not be asked; never rejects. Redirections are not followed. */
  post(url: string, headers: Readonly<Record<string, string>>, body: string): Promise<TransportOutcome>;
}

export type TransportOutcome =
  | { readonly kind: "answered"; readonly status: number }
  /** `message` is fit for the endpoint's owner: it says nothing of the network that the server stands in. */
  | { readonly kind: "failed"; readonly message: string };

export interface AddressRules {
  /** Addresses that are not of the public internet, and plain HTTP, are in order: for installations whose tenants are trusted. */
  readonly allowPrivate: boolean;
}
