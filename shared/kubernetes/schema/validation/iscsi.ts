import type { StatusCause } from "../../status-error.ts";
import { invalid } from "../field-error.ts";

/** The three formats of iSCSI names (RFC 3720 §3.2.6.3, RFC 3980). */
const formats: Readonly<Record<string, RegExp>> = {
  iqn: /iqn\.\d{4}-\d{2}\.([a-zA-Z0-9-.]+)(:[^,;*&$|\s]+)$/,
  eui: /^eui.([a-zA-Z0-9]{16})$/,
  naa: /^naa.[a-zA-Z0-9]{32}$/,
};
const message = "must be valid format";
const prefixMessage = "must be valid format starting with iqn, eui, or naa";

/** The name of a target or an initiator; a PersistentVolume's messages do not name the prefixes. */
export function checkIscsiName(name: string, path: string, namesPrefixes: boolean): StatusCause[] {
  const format = formats[name.slice(0, 3)];
  if (format === undefined) return [invalid(path, name, namesPrefixes ? prefixMessage : message)];
  return format.test(name) ? [] : [invalid(path, name, message)];
}
