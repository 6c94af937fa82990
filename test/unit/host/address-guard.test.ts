import { describe, expect, it } from "vitest";
import { createAddressGuard } from "../../../shared/host/address-guard.ts";

describe("addresses that a tenant may have the server connect to", () => {
  const guard = createAddressGuard([]);

  it.each<[string, boolean]>([
    ["8.8.8.8", true],
    ["2606:4700:4700::1111", true],
    ["127.0.0.1", false],
    ["::ffff:7f00:1", false],
    ["169.254.169.254", false],
  ])("are the public ones: %s %s", (address, is) => {
    expect(guard(address)).toBe(is);
  });

  it("are also those in networks that the operator named, and no others", () => {
    const open = createAddressGuard(["10.1.0.0/16", "fd00::/8"]);
    expect(["10.1.2.3", "::ffff:10.1.2.3", "fd12::1", "8.8.8.8"].every(open)).toBe(true);
    expect(["10.2.0.1", "fe80::1", "127.0.0.1"].some(open)).toBe(false);
  });

  it("need networks that can be read", () => {
    expect(() => createAddressGuard(["10.0.0.1"])).toThrow("10.0.0.1 is no network");
  });
});
