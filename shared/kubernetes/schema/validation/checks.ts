import { parseAddress, parsePrefix } from "../../ip-text.ts";
import { dnsLabelProblems, dnsSubdomainProblems, portNameProblems, portNumberProblems, qualifiedNameProblems } from "../../names.ts";
import type { StatusCause } from "../../status-error.ts";
import { type BadValue, invalid, notSupported, required } from "../field-error.ts";
import { goQuote } from "../go-text.ts";
import { immutableMessage, negativeMessage, same } from "./object-meta.ts";

export const positiveMessage = "must be greater than zero";
/** `maximum` of a 32-bit integer, where Kubernetes bounds seconds and numbers. */
export const maximumInt32 = 2 ** 31 - 1;

/** One `Invalid` cause for each message. */
export function invalidEach(path: string, value: BadValue, messages: readonly string[]): StatusCause[] {
  return messages.length === 0 ? [] : messages.map((message) => invalid(path, value, message));
}

export function checkDnsLabel(value: string, path: string): StatusCause[] {
  return invalidEach(path, value, dnsLabelProblems(value));
}

export function checkDnsSubdomain(value: string, path: string): StatusCause[] {
  return invalidEach(path, value, dnsSubdomainProblems(value));
}

export function checkQualifiedName(value: string, path: string): StatusCause[] {
  return invalidEach(path, value, qualifiedNameProblems(value));
}

/** A field that may not be negative; absent is zero. */
export function checkNonnegative(value: number | undefined, path: string): StatusCause[] {
  return (value ?? 0) < 0 ? [invalid(path, value, negativeMessage)] : [];
}

export function checkPositive(value: number | undefined, path: string): StatusCause[] {
  return (value ?? 0) <= 0 ? [invalid(path, value ?? 0, positiveMessage)] : [];
}

/** Required, and one of `supported` (named in the order given). */
export function checkOneOf(value: string | undefined, supported: readonly string[], path: string): StatusCause[] {
  if (value === undefined || value === "") return [required(path)];
  return checkSupported(value, supported, path);
}

/** One of `supported` when it is set. */
export function checkSupported(value: string | undefined, supported: readonly string[], path: string): StatusCause[] {
  return value === undefined || supported.includes(value) ? [] : [notSupported(path, value, supported)];
}

/** `printed` is how Go prints the new value when it is neither a string nor a number. */
export function checkImmutable(next: unknown, live: unknown, path: string, printed?: string): StatusCause[] {
  if (same(next, live)) return [];
  const value =
    typeof next === "string" || typeof next === "number" || typeof next === "boolean" ? next : { go: printed ?? goLiteral(next) };
  return [invalid(path, value, immutableMessage)];
}

export function checkPortNumber(value: number | undefined, path: string): StatusCause[] {
  return invalidEach(path, value ?? 0, portNumberProblems(value ?? 0));
}

export function checkPortNumberOrName(value: number | string | undefined, path: string): StatusCause[] {
  return typeof value === "string" ? invalidEach(path, value, portNameProblems(value)) : checkPortNumber(value, path);
}

export function checkIp(value: string | undefined, path: string): StatusCause[] {
  return parseAddress(value ?? "") !== undefined
    ? []
    : [invalid(path, value ?? "", "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)")];
}

/** An address in the form that Go prints (`IsValidIP`). */
export function checkStandardIp(value: string, path: string): StatusCause[] {
  const address = parseAddress(value);
  if (address === undefined) return checkIp(value, path);
  if (!address.standard && address.canonical.includes(".") && value.includes(":"))
    return [invalid(path, value, "must not be an IPv4-mapped IPv6 address")];
  if (!address.standard) return [invalid(path, value, "must not have leading 0s")];
  return address.canonical === value ? [] : [invalid(path, value, `must be in canonical form (${goQuote(address.canonical)})`)];
}

/** The two halves of a CIDR; undefined when it is none. */
export function parseCidr(text: string): { readonly address: string; readonly prefix: number; readonly family: 4 | 6 } | undefined {
  const parsed = parsePrefix(text);
  return parsed && { address: parsed.address.canonical, prefix: parsed.length, family: parsed.address.family };
}

export function checkCidr(value: string, path: string): StatusCause[] {
  return parseCidr(value) === undefined ? [invalid(path, value, "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)")] : [];
}

/** A relative path without steps back (`validateLocalDescendingPath`). */
export function checkDescendingPath(value: string, path: string): StatusCause[] {
  const causes = value.startsWith("/") ? [invalid(path, value, "must be a relative path")] : [];
  return [...causes, ...checkNoBacksteps(value, path)];
}

export function checkNoBacksteps(value: string, path: string): StatusCause[] {
  return value.split("/").includes("..") ? [invalid(path, value, "must not contain '..'")] : [];
}

/** As `checkDescendingPath`, and not a name that a volume keeps for itself (`ValidateLocalNonReservedPath`). */
export function checkNonReservedPath(value: string, path: string): StatusCause[] {
  const causes = checkDescendingPath(value, path);
  if (value.startsWith("..") && !value.startsWith("../")) causes.push(invalid(path, value, "must not start with '..'"));
  return causes;
}

/** A value as `%#v` prints it where the Go type does not matter much: close to, not always equal to, what Go prints. */
export function goLiteral(value: unknown): string {
  return value === undefined || value === null ? '"null"' : JSON.stringify(value);
}

/** Sets that Kubernetes prints sorted. */
export function sorted(values: readonly string[]): readonly string[] {
  return [...values].sort();
}
