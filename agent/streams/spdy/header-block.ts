import { createInflate } from "node:zlib";

/** The names that the compression of SPDY/3 knows beforehand (draft-mbelshe-httpbis-spdy-00 §2.6.10.1): words with their lengths, then a text. */
const words = [
  "options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges age allow authorization",
  "cache-control connection content-base content-encoding content-language content-length content-location content-md5 content-range",
  "content-type date etag expect expires from host if-match if-modified-since if-none-match if-range if-unmodified-since last-modified",
  "location max-forwards pragma proxy-authenticate proxy-authorization range referer retry-after server te trailer transfer-encoding",
  "upgrade user-agent vary via warning www-authenticate method get status 200+OK version HTTP/1.1 url public set-cookie keep-alive origin",
].flatMap((line) => line.split(" ").map((word) => word.replace("+", " ")));
const text =
  "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden404 Not Found500 Internal Server Error501 Not Implemented503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0.";
const sized = (value: string): Buffer => {
  const bytes = Buffer.from(value, "utf8");
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
};
const dictionary = Buffer.concat([...words.map(sized), Buffer.from(text, "latin1")]);
/** Of the dictionary: names it in the stream's head (RFC 1950 §2.2). */
const dictionaryAdler32 = 0xe3c6a7c2;

/** What one block of headers may be unpacked. */
const longestBlock = 64 * 1024;
const longestStored = 0xffff;

export type Headers = ReadonlyMap<string, string>;

/**
 * Packs the headers of one direction of a connection: one zlib stream over all blocks. It is written without compression (stored blocks, RFC 1951
 * §3.2.4), which every reader takes and which needs no state; each block ends with an empty one, as a flush does.
 */
export function createHeaderWriter(): (headers: Readonly<Record<string, string>>) => Buffer {
  let first = true;
  return (headers) => {
    const count = Buffer.alloc(4);
    const entries = Object.entries(headers);
    count.writeUInt32BE(entries.length);
    const bytes = Buffer.concat([count, ...entries.flatMap(([name, value]) => [sized(name.toLowerCase()), sized(value)])]);
    const parts: Buffer[] = [];
    if (first) {
      const head = Buffer.from([0x78, 0, 0, 0, 0, 0]);
      head[1] = 0x20 + (31 - ((0x78 * 256 + 0x20) % 31));
      head.writeUInt32BE(dictionaryAdler32, 2);
      parts.push(head);
      first = false;
    }
    for (let at = 0; at < bytes.length; at += longestStored) parts.push(stored(bytes.subarray(at, at + longestStored)));
    parts.push(stored(Buffer.alloc(0)));
    return Buffer.concat(parts);
  };
}

function stored(bytes: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt16LE(bytes.length, 1);
  head.writeUInt16LE(~bytes.length & 0xffff, 3);
  return Buffer.concat([head, bytes]);
}

/** Unpacks the headers of one direction, block after block. @throws Error (rejects) for what is no block of headers, or too large a one */
export function createHeaderReader(): { read(block: Buffer): Promise<Headers>; close(): void } {
  const inflate = createInflate({ dictionary });
  let pieces: Buffer[] = [];
  let size = 0;
  inflate.on("data", (piece: Buffer) => {
    size += piece.length;
    if (size > longestBlock) inflate.destroy(new Error("a block of headers is too large"));
    else pieces.push(piece);
  });
  // The writer of the block hears of it.
  inflate.on("error", () => {});
  return {
    read(block) {
      pieces = [];
      size = 0;
      return new Promise((resolve, reject) => {
        inflate.once("error", reject);
        inflate.write(block, (error) => {
          inflate.off("error", reject);
          if (error) return reject(error);
          // What is still buffered comes as further pieces.
          while (inflate.read() !== null);
          if (size > longestBlock) return reject(new Error("a block of headers is too large"));
          try {
            resolve(parseBlock(Buffer.concat(pieces)));
          } catch (cause) {
            reject(cause);
          }
        });
      });
    },
    close: () => inflate.close(),
  };
}

function parseBlock(bytes: Buffer): Headers {
  const headers = new Map<string, string>();
  let at = 0;
  const number = (): number => {
    at += 4;
    return bytes.readUInt32BE(at - 4);
  };
  const word = (): string => {
    const length = number();
    if (length > bytes.length - at) throw new RangeError("a header is longer than its block");
    at += length;
    return bytes.toString("utf8", at - length, at);
  };
  for (let left = number(); left > 0; left--) headers.set(word().toLowerCase(), word());
  return headers;
}
