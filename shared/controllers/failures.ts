import { isStatus } from "../kubernetes/status-error.ts";

/** The namespace is on its way out: nothing can be made in it any more, which is nobody's failure (`NamespaceTerminatingCause`). */
export function isNamespaceTerminating(error: unknown): boolean {
  return isStatus(error) && error.details?.causes?.some(({ reason }) => reason === "NamespaceTerminating") === true;
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Waits for a deletion or change of something that may be gone by now: then there is nothing left to do. */
export async function unlessMissing(request: Promise<unknown>): Promise<void> {
  try {
    await request;
  } catch (error) {
    if (!isStatus(error, "NotFound")) throw error;
  }
}
