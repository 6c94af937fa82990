import {
  type Answer,
  AUTHORITATIVE_ANSWER,
  type DecodedPacket,
  encode,
  type Packet,
  RECURSION_AVAILABLE,
  TRUNCATED_RESPONSE,
} from "dns-packet";
import { compressOwnerNames } from "./compress.ts";
import type { Zone, ZoneRecord } from "./zone.ts";

/** RFC 1035 §4.1.1. */
export const responseCodes = { noError: 0, formatError: 1, serverFailure: 2, nameError: 3, notImplemented: 4, refused: 5 } as const;
export type ResponseCode = (typeof responseCodes)[keyof typeof responseCodes];

/** Seconds; the reference implementation's default for cluster names. */
const ttl = 5;
/** Longer chains of aliases than this are cut off. */
const maxAliases = 8;

/** What to do with a query: answer it, or ask the machine's resolvers, for itself or for the end of a chain of aliases. */
export type Resolution =
  | {
      readonly kind: "answer";
      readonly code: ResponseCode;
      readonly answers: readonly Answer[];
      readonly additionals: readonly Answer[];
      readonly soa: Answer | undefined;
    }
  | { readonly kind: "forward" }
  | { readonly kind: "forward-alias"; readonly answers: readonly Answer[]; readonly target: string };

/** Answers a question from the zone of the asking pod's cluster. `rotate` in [0, 1) says which of several addresses comes first. */
export function resolveInZone(zone: Zone, question: { readonly name: string; readonly type: string }, rotate: number): Resolution {
  const answers: Answer[] = [];
  let asked = question.name;
  for (let step = 0; step <= maxAliases; step++) {
    const name = normalized(asked);
    const found = zone.find(name);
    switch (found.kind) {
      case "unknown":
        return answers.length === 0 ? { kind: "forward" } : { kind: "forward-alias", answers, target: asked };
      case "missing":
        return { kind: "answer", code: responseCodes.nameError, answers, additionals: [], soa: soaOf(zone.domain) };
      case "alias":
        answers.push({ type: "CNAME", name: asked, ttl, class: "IN", data: found.target });
        if (question.type === "CNAME") return { kind: "answer", code: responseCodes.noError, answers, additionals: [], soa: undefined };
        asked = found.target;
        break;
      case "records": {
        const matching = found.records.filter(({ type }) => type === question.type || question.type === "ANY");
        answers.push(...rotated(matching, rotate).map((record) => answerOf(asked, record)));
        const additionals = matching.flatMap((record) => (record.type === "SRV" ? targetsOf(zone, record.data.target) : []));
        return {
          kind: "answer",
          code: responseCodes.noError,
          answers,
          additionals,
          soa: matching.length === 0 ? soaOf(zone.domain) : undefined,
        };
      }
      default:
        return found satisfies never;
    }
  }
  return { kind: "answer", code: responseCodes.serverFailure, answers: [], additionals: [], soa: undefined };
}

/** Lower case, without the final dot: names compare without regard to case (RFC 4343). */
function normalized(name: string): string {
  return name.toLowerCase().replace(/\.$/, "");
}

export interface ResponseParts {
  readonly code: ResponseCode;
  readonly answers?: readonly Answer[];
  readonly additionals?: readonly Answer[];
  readonly authorities?: readonly Answer[];
  readonly authoritative?: boolean;
}

/** Bytes of a plain UDP response without EDNS (RFC 1035 §4.2.1), and the most that is sent in one with it. */
const plainUdpBytes = 512;
const maxUdpBytes = 4_096;

/**
 * The bytes of a response. Over UDP it fits what the client announced (RFC 6891); what does not fit leaves records out and sets the flag that
 * sends the client to TCP.
 */
export function encodeResponse(query: DecodedPacket, parts: ResponseParts, transport: "udp" | "tcp"): Buffer {
  const edns = (query.additionals ?? []).find((record) => record.type === "OPT");
  const limit = transport === "tcp" ? 65_535 : Math.min(Math.max(edns?.udpPayloadSize ?? plainUdpBytes, plainUdpBytes), maxUdpBytes);
  const opt: Answer[] =
    edns === undefined
      ? []
      : [{ type: "OPT", name: ".", udpPayloadSize: maxUdpBytes, extendedRcode: 0, ednsVersion: 0, flags: 0, flag_do: false, options: [] }];
  const recursionDesired = (query.flags ?? 0) & 0x0100;
  const build = (answers: readonly Answer[], additionals: readonly Answer[], truncated: boolean): Buffer => {
    const packet: Packet = {
      type: "response",
      ...(query.id === undefined ? {} : { id: query.id }),
      flags:
        RECURSION_AVAILABLE |
        recursionDesired |
        (parts.authoritative === true ? AUTHORITATIVE_ANSWER : 0) |
        (truncated ? TRUNCATED_RESPONSE : 0) |
        parts.code,
      questions: query.questions ?? [],
      answers: [...answers],
      authorities: [...(parts.authorities ?? [])],
      additionals: [...additionals, ...opt],
    };
    return compressOwnerNames(encode(packet));
  };
  const { answers = [], additionals = [] } = parts;
  const whole = build(answers, additionals, false);
  if (whole.length <= limit) return whole;
  const withoutAdditionals = build(answers, [], false);
  if (withoutAdditionals.length <= limit) return withoutAdditionals;
  let kept = answers.length;
  let bytes = withoutAdditionals;
  while (bytes.length > limit && kept > 0) {
    kept = Math.min(kept - 1, Math.floor((kept * limit) / bytes.length));
    bytes = build(answers.slice(0, kept), [], true);
  }
  return bytes;
}

function answerOf(name: string, record: ZoneRecord): Answer {
  switch (record.type) {
    case "SRV":
      return { type: "SRV", name, ttl, class: "IN", data: { ...record.data } };
    case "TXT":
      return { type: "TXT", name, ttl, class: "IN", data: record.data };
    case "A":
    case "AAAA":
    case "PTR":
      return { type: record.type, name, ttl, class: "IN", data: record.data };
    default:
      return record satisfies never;
  }
}

function targetsOf(zone: Zone, target: string): Answer[] {
  const found = zone.find(target);
  const records = found.kind === "records" ? found.records.filter(({ type }) => type === "A" || type === "AAAA") : [];
  return records.map((record) => answerOf(target, record));
}

/** RFC 2308: how long an absence may be remembered. The values are the reference implementation's. */
function soaOf(domain: string): Answer {
  return {
    type: "SOA",
    name: domain,
    ttl,
    class: "IN",
    data: {
      mname: `ns.dns.${domain}`,
      rname: `hostmaster.${domain}`,
      serial: 1,
      refresh: 7_200,
      retry: 1_800,
      expire: 86_400,
      minimum: ttl,
    },
  };
}

function rotated<T>(items: readonly T[], by: number): readonly T[] {
  const start = Math.floor(by * items.length);
  return [...items.slice(start), ...items.slice(0, start)];
}
