import { lockDirectory } from "../../../server/directory-lock.ts";

/** What a process that works on folders is told, and answers when it has done so; `refused` with the reason. */
export type Told = { readonly lock: string; readonly atMs: number; readonly withoutLinks: boolean } | "release";
export type Answer = "held" | "released" | { readonly refused: string };

const withoutLinks = (): never => {
  throw Object.assign(new Error("operation not supported"), { code: "EOPNOTSUPP" });
};

let release = (): void => {};

function answerTo(told: Told): Answer {
  if (told === "release") {
    release();
    release = () => {};
    return "released";
  }
  // All who are told the same look at the folder at the same moment.
  while (performance.timeOrigin + performance.now() < told.atMs);
  try {
    release = told.withoutLinks ? lockDirectory(told.lock, withoutLinks) : lockDirectory(told.lock);
    return "held";
  } catch (error) {
    return { refused: String(error) };
  }
}

process.on("message", (told: Told) => process.send?.(answerTo(told)));
