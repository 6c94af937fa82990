import { randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import { allows, generateApiKey, parseApiKey } from "../../../shared/auth/api-key.ts";
import { generateSecretToken, parseSecretToken } from "../../../shared/auth/secret-token.ts";

describe("API keys", () => {
  it("are recognised by form and checksum and hash to the same value", () => {
    const made = generateApiKey(randomBytes);
    expect(made.token).toMatch(/^ck_live_[0-9A-Za-z]{8}_[0-9A-Za-z]{38}$/);
    expect(made.hash).toMatch(/^[0-9a-f]{64}$/);
    expect(parseApiKey(made.token)).toEqual(made);
  });

  it("with any one character changed are refused without a look-up", () => {
    const { token } = generateApiKey(randomBytes);
    for (let at = 0; at < token.length; at++) {
      const other = token[at] === "x" ? "y" : "x";
      expect(parseApiKey(token.slice(0, at) + other + token.slice(at + 1))).toBeUndefined();
    }
  });

  it("are not taken for tokens of another kind", () => {
    expect(parseApiKey(generateSecretToken("cj_live", randomBytes).token)).toBeUndefined();
    expect(parseSecretToken("cn", generateSecretToken("cj", randomBytes).token)).toBeUndefined();
  });

  it("are never made of bytes that would favour a letter", () => {
    const bytes = [Buffer.alloc(8, 255), Buffer.alloc(8, 0), Buffer.alloc(32, 248), Buffer.alloc(32, 61)];
    const { token } = generateSecretToken("k", () => bytes.shift() ?? Buffer.alloc(0));
    expect(token).toMatch(/^k_0{8}_z{32}/);
  });

  it("that may write may read, and an operator's key is no tenant's", () => {
    expect(allows(["clusters:write"], "clusters:read")).toBe(true);
    expect(allows(["clusters:read"], "clusters:write")).toBe(false);
    expect(allows(["operator"], "clusters:read")).toBe(false);
  });
});
