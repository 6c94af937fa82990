import { createHmac, timingSafeEqual } from "node:crypto";
import { PlatformError } from "../problem.ts";

/** Opaque page marks: signed, so that a client cannot reach a place it was not shown, and good only for the list that made them. */
export interface Cursors {
  seal(list: string, sort: string): string;
  /** @throws PlatformError `invalid` */
  open(list: string, cursor: string): string;
}

const signatureBytes = 12;

export function createCursors(key: Buffer): Cursors {
  const sign = (list: string, sort: string) => createHmac("sha256", key).update(`${list}\n${sort}`).digest().subarray(0, signatureBytes);
  return {
    seal: (list, sort) => Buffer.concat([sign(list, sort), Buffer.from(sort)]).toString("base64url"),
    open(list, cursor) {
      const bytes = Buffer.from(cursor, "base64url");
      const sort = bytes.subarray(signatureBytes).toString();
      if (bytes.length <= signatureBytes || !timingSafeEqual(sign(list, sort), bytes.subarray(0, signatureBytes))) {
        throw new PlatformError("invalid", "The cursor is not one of this list.", {
          errors: [{ parameter: "cursor", detail: "not a cursor of this list" }],
        });
      }
      return sort;
    },
  };
}
