/** The keys of an issuer at a moment. */
export interface SigningKeys {
  /** PKCS #8 PEM of the EC P-256 key that signs; it verifies too. */
  readonly signing: string;
  readonly others: readonly VerifyingKey[];
}

/** A key that is to sign next, or that signed before. */
export interface VerifyingKey {
  /** Public or private. */
  readonly pem: string;
  /** `kept`: only tokens without an end, which Secrets keep: all that had one have expired. */
  readonly verifies: "all" | "kept";
}

/** Where an issuer has its keys from, where they change. */
export interface SigningKeySource {
  /** The same object until something changed. */
  current(): SigningKeys;
  /** A token names a key that is not among them: another process may have made it. Looks, but not each time that it is asked. */
  refresh(): Promise<void>;
}
