/** CRC-32's polynomial, reflected (RFC 1952 §8). */
const polynomial = 0xedb88320;

/** A linear map over GF(2) of 32 bits: what each bit becomes. */
type Matrix = readonly number[];

function times(matrix: Matrix, vector: number): number {
  let sum = 0;
  for (let bit = 0, rest = vector; rest !== 0; bit++, rest >>>= 1) if (rest & 1) sum ^= matrix[bit] ?? 0;
  return sum >>> 0;
}

const squared = (matrix: Matrix): Matrix => matrix.map((column) => times(matrix, column));

/** `zeros[n]` takes a CRC over 2^n further zero bytes. */
const zeros: Matrix[] = [];

function zeroBytes(power: number): Matrix {
  if (zeros.length === 0) {
    const oneBit: Matrix = [polynomial, ...Array.from({ length: 31 }, (_, bit) => 2 ** bit)];
    zeros.push(squared(squared(squared(oneBit))));
  }
  for (let have = zeros.length; have <= power; have++) zeros.push(squared(zeros[have - 1] ?? []));
  return zeros[power] ?? [];
}

/** The CRC-32 of two texts behind each other from those of the parts; `length` is the second one's in bytes. As zlib's `crc32_combine`. */
export function combineCrc32(first: number, second: number, length: number): number {
  let crc = first;
  for (let power = 0, rest = length; rest > 0; power++, rest = Math.floor(rest / 2)) if (rest % 2 === 1) crc = times(zeroBytes(power), crc);
  return (crc ^ second) >>> 0;
}
