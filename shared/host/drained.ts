/** What of a stream tells when it takes more. */
interface Receiver {
  once(event: "drain" | "close", listener: () => void): unknown;
  off(event: "drain" | "close", listener: () => void): unknown;
}

/** Resolves when the receiver can take more, or has gone. */
export function drained(receiver: Receiver): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      receiver.off("drain", done);
      receiver.off("close", done);
      resolve();
    };
    receiver.once("drain", done);
    receiver.once("close", done);
  });
}
