import { execFileSync } from "node:child_process";
import { closeSync, constants, openSync, rmSync } from "node:fs";

/**
 * Named pipes in place of anonymous ones: programs may open /dev/stdin and /dev/stdout again, which Node's socket pairs refuse.
 */
function makePipe(path: string): void {
  rmSync(path, { force: true });
  execFileSync("mkfifo", ["-m", "600", path]);
}

/** The child's end is opened for both directions, so that it never sees a broken pipe should this process die. */
export function openOutputPipe(path: string): { read: number; write: number } {
  makePipe(path);
  const read = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const write = openSync(path, constants.O_RDWR);
  return { read, write };
}

/** `held` keeps the child from an end of its input; the input ends when it and every other writer have been closed. */
export function openInputPipe(path: string): { read: number; held: number } {
  makePipe(path);
  const both = openSync(path, constants.O_RDWR);
  const read = openSync(path, constants.O_RDONLY);
  const held = openWriter(path);
  closeSync(both);
  return { read, held };
}

/** An input on which nothing ever comes, not even its end: whoever has it holds both sides. */
export function openSilentPipe(path: string): number {
  makePipe(path);
  return openSync(path, constants.O_RDWR);
}

/** @throws Error when nobody reads */
export const openWriter = (path: string): number => openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
