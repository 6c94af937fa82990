import type { MiddlewareObj } from "@middy/core";
import type { z } from "zod";
import type { FunctionPorts } from "./ports.ts";

/** The event as its schema says; one that is not like that is refused as a whole. */
export const parsed = (schema: z.ZodType): MiddlewareObj => ({
  before: (request) => {
    request.event = schema.parse(request.event);
  },
});

/** Finishes, after success and failure alike, what was begun, before the process may be frozen. */
export function settled(open: () => Promise<{ settle(): Promise<void> }>, ports: () => FunctionPorts): MiddlewareObj {
  const settle = async (): Promise<void> => {
    try {
      await (await open()).settle();
    } catch (error) {
      ports().log.error("something was left unfinished", error);
    }
  };
  return { after: settle, onError: settle };
}
