/** Text as UTF-8 in base64: how a Secret's `stringData` becomes `data`. */
export function base64Of(text: string): string {
  return Buffer.from(text, "utf8").toString("base64");
}

/** How many bytes base64 text stands for, without decoding it. */
export function base64Length(text: string): number {
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  return Math.floor(text.length / 4) * 3 - padding;
}
