const envelope = /-----BEGIN CERTIFICATE REQUEST-----[ \t]*\r?\n([\s\S]*?)-----END CERTIFICATE REQUEST-----/;

const sequence = 16;
const bitString = 3;

/**
 * What Go's `x509.ParseCertificateRequest` has against a request (PKCS #10, RFC 2986 §4): its PEM envelope, and whether its three parts are
 * there. What is inside of them is read by who signs. Undefined: nothing.
 */
export function certificateRequestProblem(pem: string): string | undefined {
  const body = envelope.exec(pem)?.[1]?.replace(/\s/g, "");
  if (body === undefined || body.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(body))
    return "PEM block type must be CERTIFICATE REQUEST";
  const der = Buffer.from(body, "base64");
  const outer = readElement(der, 0, sequence, "certificateRequest");
  if ("problem" in outer) return outer.problem;
  const parts = der.subarray(outer.start, outer.end);
  let at = 0;
  for (const [tag, name] of [
    [sequence, "tbsCertificateRequest"],
    [sequence, "AlgorithmIdentifier"],
    [bitString, "BitString"],
  ] as const) {
    const part = readElement(parts, at, tag, name);
    if ("problem" in part) return part.problem;
    at = part.end;
  }
  return outer.end < der.length ? "asn1: syntax error: trailing data" : undefined;
}

type Element = { readonly start: number; readonly end: number } | { readonly problem: string };

/** One element of the tag that is expected, in the order of checks and the words of Go's `encoding/asn1`. */
function readElement(bytes: Buffer, at: number, expected: number, name: string): Element {
  if (at >= bytes.length) return { problem: "asn1: syntax error: sequence truncated" };
  const [first = 0, second] = bytes.subarray(at);
  if (second === undefined) return { problem: "asn1: syntax error: truncated tag or length" };
  const sized = second < 128 ? 0 : second - 128;
  const start = at + 2 + sized;
  if (sized > 4 || start > bytes.length) return { problem: "asn1: syntax error: truncated tag or length" };
  const length = sized === 0 ? second : bytes.readUIntBE(at + 2, sized);
  const [tagClass, compound, tag] = [first >> 6, (first & 32) !== 0, first & 31];
  if (tagClass !== 0 || tag !== expected || compound !== (expected === sequence)) {
    const found = `{class:${tagClass} tag:${tag} length:${length} isCompound:${compound}}`;
    return { problem: `asn1: structure error: tags don't match (${expected} vs ${found}) ${parameters} ${name} @${start - at}` };
  }
  return start + length > bytes.length ? { problem: "asn1: syntax error: data truncated" } : { start, end: start + length };
}

const parameters =
  "{optional:false explicit:false application:false private:false defaultValue:<nil> tag:<nil> stringType:0 timeType:0 set:false omitEmpty:false}";
