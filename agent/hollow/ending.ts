import { basename } from "node:path";
import type { ContainerSpec } from "../runtime.ts";

/** How a container ends that nobody runs: after how long (infinity: never), and with which code. */
export interface Ending {
  readonly afterMs: number;
  readonly exitCode: number;
}

const secondsIn: Readonly<Record<string, number>> = { "": 1, s: 1, m: 60, h: 3600, d: 86_400 };
/** `sleep`, `exit`, or one after the other, as a shell takes them. */
const script = /^\s*(?:sleep\s+(\S+?)\s*(?:;|&&|$))?\s*(?:exit\s+(\d{1,3}))?\s*;?\s*$/;
const longestTimerMs = 2 ** 31 - 1;

/**
 * What its command says, where that can be told without running it: `sleep TIME`, `true`, `false`, a shell's `exit CODE` after such a sleep or
 * without, and the image `pause`, which never ends. Anything else ends well after `otherwiseMs`.
 */
export function endingOf({ image, command, args }: Pick<ContainerSpec, "image" | "command" | "args">, otherwiseMs: number): Ending {
  const [program = "", ...rest] = [...command, ...args];
  const name = basename(program);
  if (name === "" && /(^|\/)pause([:@]|$)/.test(image)) return { afterMs: Number.POSITIVE_INFINITY, exitCode: 0 };
  if (name === "false") return { afterMs: otherwiseMs, exitCode: 1 };
  if (name === "sleep") return { afterMs: rest.reduce((sum, time) => sum + millisecondsOf(time), 0), exitCode: 0 };
  const [, time, code] = (/^(ba|da|a)?sh$/.test(name) && rest[0] === "-c" && script.exec(rest[1] ?? "")) || [];
  return { afterMs: time === undefined ? otherwiseMs : millisecondsOf(time), exitCode: Number(code ?? 0) & 255 };
}

/** `90`, `1.5m`, `infinity`; what is no time is none, since sleep would refuse it at once. */
function millisecondsOf(time: string): number {
  const [, amount, unit = ""] = /^(\d+(?:\.\d+)?|infinity|inf)([smhd]?)$/.exec(time) ?? [];
  const ms = amount === undefined ? 0 : amount.startsWith("inf") ? longestTimerMs + 1 : Number(amount) * (secondsIn[unit] ?? 1) * 1000;
  return ms > longestTimerMs ? Number.POSITIVE_INFINITY : ms;
}
