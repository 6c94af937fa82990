/** One change of a source text: `from` stands in the file exactly once. */
export interface Patch {
  /** From the root of the repository. */
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

/** @throws when the text is not there, or more than once: the patch has to be brought up to date */
export function patched(source: string, { file, from, to }: Patch): string {
  const count = source.split(from).length - 1;
  if (count !== 1) throw new Error(`${file}: "${from}" stands there ${count} times, not once: bring test/simulation up to date with it`);
  return source.replace(from, () => to);
}
