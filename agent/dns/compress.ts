const headerBytes = 12;
/** RFC 1035 §4.1.4: two set bits, then the offset of the question's name, which is always that of the header's end. */
const pointerToQuestion = Buffer.from([0xc0, headerBytes]);
/** Type, class, time to live, and length of the data. */
const fixedBytes = 10;

/**
 * Shortens a message with one question, whose names are all written out: records of the question's own name refer to it. A record then takes 16 bytes
 * instead of about 50, which decides whether an answer fits into UDP.
 */
export function compressOwnerNames(message: Buffer): Buffer {
  const question = message.subarray(headerBytes, endOfName(message, headerBytes));
  const recordsStart = headerBytes + question.length + 4;
  const parts = [message.subarray(0, recordsStart)];
  for (let at = recordsStart; at < message.length; ) {
    const ownerEnd = endOfName(message, at);
    const end = ownerEnd + fixedBytes + message.readUInt16BE(ownerEnd + fixedBytes - 2);
    const owner = message.subarray(at, ownerEnd);
    parts.push(owner.length > 2 && owner.equals(question) ? pointerToQuestion : owner, message.subarray(ownerEnd, end));
    at = end;
  }
  return Buffer.concat(parts);
}

function endOfName(message: Buffer, start: number): number {
  let at = start;
  while (message.readUInt8(at) !== 0) at += 1 + message.readUInt8(at);
  return at + 1;
}
