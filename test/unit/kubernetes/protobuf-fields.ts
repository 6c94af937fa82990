interface Field {
  readonly number: number;
  readonly value: Buffer;
}

/** The fields of one message; scalars as the bytes that they are written in. */
export function fieldsOf(message: Buffer): Field[] {
  const fields: Field[] = [];
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = message[at++] ?? 0;
      value |= (byte & 127) << shift;
      if (byte < 128) return value;
    }
  };
  while (at < message.length) {
    const tag = varint();
    const wire = tag & 7;
    const length = wire === 2 ? varint() : wire === 1 ? 8 : undefined;
    const from = at;
    if (length === undefined) varint();
    else at += length;
    fields.push({ number: tag >>> 3, value: message.subarray(from, at) });
  }
  return fields;
}

export const only = (message: Buffer | undefined, number: number): Buffer[] =>
  message ? fieldsOf(message).flatMap((field) => (field.number === number ? field.value : [])) : [];
export const text = (message: Buffer | undefined, number: number): string | undefined => only(message, number)[0]?.toString();
