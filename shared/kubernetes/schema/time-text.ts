const rfc3339 = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)([.,]\d+)?(Z|[+-]\d\d:\d\d)$/;
/** A time as nearly all are written, in whole seconds of UTC, on a day that every month has. */
const plainTime = /^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\dZ$/;
const layout = "2006-01-02T15:04:05Z07:00";
const microLayout = "2006-01-02T15:04:05.000000Z07:00";

/** What Go's `time.Parse` says against a time that is not RFC 3339; undefined when it is one. */
export function timeProblem(text: string, micro = false): string | undefined {
  if (!micro && plainTime.test(text)) return undefined;
  const match = rfc3339.exec(text);
  const quoted = micro ? microLayout : layout;
  if (match === null) return `parsing time ${JSON.stringify(text)} as "${quoted}": cannot parse ${unparsed(text)}`;
  if (micro && !/^[.,]\d{6}/.test(match[7] ?? ""))
    return `parsing time ${JSON.stringify(text)} as "${quoted}": cannot parse ${JSON.stringify(text.slice(19))} as ".000000"`;
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number) as [number, number, number, number, number, number];
  const wrong = (unit: string) => `parsing time ${JSON.stringify(text)}: ${unit} out of range`;
  if (month < 1 || month > 12) return wrong("month");
  if (day < 1 || day > new Date(Date.UTC(year, month, 0)).getUTCDate()) return wrong("day");
  if (hour > 23) return wrong("hour");
  if (minute > 59) return wrong("minute");
  return second > 59 ? wrong("second") : undefined;
}

/** Where a time stops fitting the layout, as `"rest" as "element of the layout"`. */
function unparsed(text: string): string {
  const elements = [
    [/^\d{4}/, "2006"],
    [/^-/, "-"],
    [/^\d\d/, "01"],
    [/^-/, "-"],
    [/^\d\d/, "02"],
    [/^T/, "T"],
    [/^\d\d/, "15"],
    [/^:/, ":"],
    [/^\d\d/, "04"],
    [/^:/, ":"],
    [/^\d\d(?:[.,]\d+)?/, "05"],
    [/^(?:Z|[+-]\d\d:\d\d)/, "Z07:00"],
  ] as const;
  let rest = text;
  for (const [pattern, element] of elements) {
    const match = pattern.exec(rest);
    if (match === null) return `${JSON.stringify(rest)} as "${element}"`;
    rest = rest.slice(match[0].length);
  }
  return `${JSON.stringify(rest)} as ""`;
}

/** A time as `metav1.Time` prints it (UTC, whole seconds), or, with `micro`, as `metav1.MicroTime` does (six decimals). */
export function canonicalTime(text: string, micro = false): string {
  if (!micro && plainTime.test(text)) return text;
  const match = rfc3339.exec(text);
  if (match === null) return text;
  const fraction = (match[7] ?? "").slice(1);
  const zone = match[8] ?? "Z";
  const whole = zone === "Z" ? text.slice(0, 19) : new Date(`${text.slice(0, 19)}${zone}`).toISOString().slice(0, 19);
  return micro ? `${whole}.${fraction.padEnd(6, "0").slice(0, 6)}Z` : `${whole}Z`;
}
