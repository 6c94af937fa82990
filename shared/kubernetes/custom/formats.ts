import { isIPv4, isIPv6 } from "node:net";
import { compilePattern } from "../cel/library/regexes.ts";
import { parseDurationText, parseTimestampText } from "../cel/library/time-text.ts";
import { urlProblem } from "../cel/library/urls.ts";
import { Failure } from "../cel/value.ts";
import { dnsLabelProblems, dnsSubdomainProblems } from "../names.ts";

const by =
  (pattern: string) =>
  (text: string): boolean => {
    const compiled = compilePattern(pattern);
    return !(compiled instanceof Failure) && compiled.matcher(text).find();
  };

const hostname = by(
  String.raw`^([a-zA-Z0-9\p{S}\p{L}]((-?[a-zA-Z0-9\p{S}\p{L}]{0,62})?)|([a-zA-Z0-9\p{S}\p{L}](([a-zA-Z0-9-\p{S}\p{L}]{0,61}[a-zA-Z0-9\p{S}\p{L}])?)(\.)){1,}([a-zA-Z\p{L}]){2,63})$`,
);
const digits = (text: string): string => text.replace(/[\s-]/g, "");

/** The formats that schemas of custom resources may ask for (apiextensions `apiserver/validation/formats.go`), by name without dashes. */
const checks: Readonly<Record<string, (text: string) => boolean>> = {
  bsonobjectid: (text) => /^[0-9a-f]{24}$/i.test(text),
  uri: (text) => urlProblem(text) === undefined,
  email: (text) => /^(?:[^<>]*<)?[^\s@<>"(),:;[\\\]]+@[^\s@<>"(),:;[\\\]]+>?$/.test(text),
  hostname: (text) => hostname(text) && text.length <= 255 && text.split(".").every((part) => part.length <= 63),
  ipv4: isIPv4,
  ipv6: isIPv6,
  cidr: isNetwork,
  mac: (text) =>
    /^(?:[0-9a-f]{2}([:-]))(?:[0-9a-f]{2}\1){4}(?:[0-9a-f]{2}\1){0,14}[0-9a-f]{2}$/i.test(text) ||
    /^(?:[0-9a-f]{4}\.){2,9}[0-9a-f]{4}$/i.test(text),
  uuid: by("(?i)^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$"),
  uuid3: by("(?i)^[0-9a-f]{8}-?[0-9a-f]{4}-?3[0-9a-f]{3}-?[0-9a-f]{4}-?[0-9a-f]{12}$"),
  uuid4: by("(?i)^[0-9a-f]{8}-?[0-9a-f]{4}-?4[0-9a-f]{3}-?[89ab][0-9a-f]{3}-?[0-9a-f]{12}$"),
  uuid5: by("(?i)^[0-9a-f]{8}-?[0-9a-f]{4}-?5[0-9a-f]{3}-?[89ab][0-9a-f]{3}-?[0-9a-f]{12}$"),
  isbn: (text) => isIsbn10(digits(text)) || isIsbn13(digits(text)),
  isbn10: (text) => isIsbn10(digits(text)),
  isbn13: (text) => isIsbn13(digits(text)),
  creditcard: (text) => /^\d{13,19}$/.test(digits(text)) && luhn(digits(text)),
  ssn: (text) => /^\d{3}[- ]?\d{2}[- ]?\d{4}$/.test(text),
  hexcolor: (text) => /^#?(?:[0-9a-fA-F]{3}|[0-9a-fA-F]{6})$/.test(text),
  rgbcolor: (text) => /^rgb\(\s*(?:\d{1,3}\s*,\s*){2}\d{1,3}\s*\)$/.test(text),
  byte: (text) => /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text),
  password: () => true,
  date: (text) => parseTimestampText(`${text}T00:00:00Z`) !== undefined,
  duration: (text) =>
    parseDurationText(text) !== undefined ||
    /^\s*\d+\s*(?:ns|nano|us|µs|micro|ms|milli|s|sec|second|m|min|minute|h|hr|hour|d|day|w|wk|week)s?\s*$/i.test(text),
  datetime: (text) => parseTimestampText(text) !== undefined,
  k8sshortname: (text) => dnsLabelProblems(text).length === 0,
  k8slongname: (text) => dnsSubdomainProblems(text).length === 0,
};

/** Whether a text is of a format; undefined for a format that nobody checks. */
export function hasFormat(format: string, text: string): boolean | undefined {
  const name = format.replaceAll("-", "");
  return Object.hasOwn(checks, name) ? checks[name]?.(text) : undefined;
}

function isNetwork(text: string): boolean {
  const [, address = "", length = ""] = /^([^/]+)\/(\d{1,3})$/.exec(text) ?? [];
  return (isIPv4(address) && Number(length) <= 32) || (isIPv6(address) && Number(length) <= 128);
}

function isIsbn10(text: string): boolean {
  if (!/^\d{9}[\dX]$/.test(text)) return false;
  return [...text].reduce((sum, char, index) => sum + (10 - index) * (char === "X" ? 10 : Number(char)), 0) % 11 === 0;
}

function isIsbn13(text: string): boolean {
  return /^\d{13}$/.test(text) && [...text].reduce((sum, char, index) => sum + Number(char) * (index % 2 === 0 ? 1 : 3), 0) % 10 === 0;
}

function luhn(text: string): boolean {
  const sum = [...text].reverse().reduce((total, char, index) => {
    const doubled = index % 2 === 0 ? Number(char) : Number(char) * 2;
    return total + (doubled > 9 ? doubled - 9 : doubled);
  }, 0);
  return sum % 10 === 0;
}
