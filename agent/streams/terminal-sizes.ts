import { z } from "zod";
import type { TerminalSize } from "../runtime.ts";

const sizeMessage = z.object({ Width: z.number().int().min(0).max(65535), Height: z.number().int().min(0).max(65535) });
const longestMessage = 1024;

export interface TerminalSizes {
  /** Takes what came on the resize channel: JSON documents one after another, cut anywhere. */
  received(chunk: Buffer): void;
  /** Also calls for the size that came last before. */
  onResize(listener: (size: TerminalSize) => void): void;
}

export function createTerminalSizes(): TerminalSizes {
  const listeners: ((size: TerminalSize) => void)[] = [];
  let last: TerminalSize | undefined;
  let text = "";
  return {
    received(chunk) {
      text = (text + chunk.toString("utf8")).slice(-longestMessage);
      for (let end = text.indexOf("}"); end >= 0; end = text.indexOf("}")) {
        const parsed = sizeMessage.safeParse(parseJson(text.slice(0, end + 1)));
        text = text.slice(end + 1);
        if (!parsed.success) continue;
        last = { columns: parsed.data.Width, rows: parsed.data.Height };
        for (const listener of listeners) listener(last);
      }
    },
    onResize(listener) {
      listeners.push(listener);
      if (last) listener(last);
    },
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
