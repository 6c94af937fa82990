import { expect, it } from "vitest";
import { isPublicAddress } from "../../../shared/webhooks/addresses.ts";

it.each([
  "0.0.0.0",
  "10.1.2.3",
  "100.64.0.1",
  "127.0.0.1",
  "169.254.169.254",
  "172.31.255.255",
  "192.0.2.1",
  "192.168.0.1",
  "198.19.0.1",
  "224.0.0.1",
  "255.255.255.255",
  "::",
  "::1",
  "::ffff:10.0.0.1",
  "::ffff:8.8.8.8",
  "0:0:0:0:0:ffff:7f00:1",
  "64:ff9b::a00:1",
  "fe80::1",
  "fe80::1%eth0",
  "fd00:ec2::254",
  "ff02::1",
  "2001::1",
  "2001:db8::1",
  "2002:a00:1::",
  "localhost",
  "0x7f.1",
  "",
])("%s is not of the public internet", (address) => {
  expect(isPublicAddress(address)).toBe(false);
});

it.each(["8.8.8.8", "1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2a00:1450:4001::200e"])("%s is", (address) => {
  expect(isPublicAddress(address)).toBe(true);
});
