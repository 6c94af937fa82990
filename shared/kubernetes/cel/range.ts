/** From the least to the most that something may cost or measure, in cel-go's unsigned 64 bits: what is beyond stays at the end. */
export interface Range {
  readonly min: number;
  readonly max: number;
}

const limit = 2 ** 64;
const capped = (value: number): number => Math.min(value, limit);

export const unknown: Range = { min: 0, max: limit };
export const fixed = (value: number): Range => ({ min: value, max: value });
export const add = (...ranges: readonly Range[]): Range => ({
  min: capped(ranges.reduce((sum, { min }) => sum + min, 0)),
  max: capped(ranges.reduce((sum, { max }) => sum + max, 0)),
});
export const multiply = (a: Range, b: Range): Range => ({ min: capped(a.min * b.min), max: capped(a.max * b.max) });
export const scale = ({ min, max }: Range, factor: number): Range => ({
  min: capped(Math.ceil(min * factor)),
  max: capped(Math.ceil(max * factor)),
});
export const union = (a: Range, b: Range): Range => ({ min: Math.min(a.min, b.min), max: Math.max(a.max, b.max) });
