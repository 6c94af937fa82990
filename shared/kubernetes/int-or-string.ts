/** A number, or a percentage such as `"25%"`. */
export type IntOrString = number | string;

const integer = /^[+-]?[0-9]+$/;

/**
 * The number it stands for: itself, or that share of `total`, rounded up or down (apimachinery `intstr.GetScaledValueFromIntOrPercent`).
 * @throws RangeError when it is a string other than a whole percentage.
 */
export function scaledIntOrPercent(value: IntOrString, total: number, rounding: "up" | "down"): number {
  if (typeof value === "number") return value;
  const share = (percentOf(value) * total) / 100;
  return rounding === "up" ? Math.ceil(share) : Math.floor(share);
}

/** Whether it is written as a percentage, whatever stands before the sign. */
export function isPercent(value: IntOrString): value is string {
  return typeof value === "string" && value.endsWith("%");
}

function percentOf(text: string): number {
  if (!text.endsWith("%")) throw new RangeError("invalid value for IntOrString: invalid type: string is not a percentage");
  const digits = text.slice(0, -1);
  if (!integer.test(digits)) {
    throw new RangeError(
      `invalid value for IntOrString: invalid value ${JSON.stringify(text)}: strconv.Atoi: parsing ${JSON.stringify(digits)}: invalid syntax`,
    );
  }
  return Number(digits);
}
