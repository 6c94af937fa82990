/** kube-apiserver's limits (apiserver/pkg/endpoints/filters/warning.go), in characters. */
const truncateAtTotal = 4096;
const truncateItem = 256;

/**
 * The value of the `Warning` header (RFC 7234 §5.5) of an answer with these warnings, as `NewWarningHeader` of apimachinery makes it:
 * each once, the empty ones and those with control characters left out, all of them cut short when they are long together. `undefined`: none is left.
 * Like Go's server it sends UTF-8: the result holds one character for each of its bytes.
 */
export function warningHeader(warnings: readonly string[]): string | undefined {
  const texts = [...new Set(warnings)].filter((text) => text !== "" && !/\p{Cc}/u.test(text));
  const runes = texts.map((text) => [...text]);
  const truncating = runes.reduce((sum, { length }) => sum + length, 0) > truncateAtTotal;
  const values: string[] = [];
  let written = 0;
  for (const text of runes) {
    if (truncating && written >= truncateAtTotal) break;
    const shown = truncating ? text.slice(0, truncateItem) : text;
    written += shown.length;
    values.push(`299 - "${shown.join("").replaceAll(/["\\]/g, "\\$&")}"`);
  }
  return values.length === 0 ? undefined : Buffer.from(values.join(", ")).toString("latin1");
}
