import { turn } from "../world.ts";

/** Signatures are made and checked beside the event loop: a history waits for them, in no time. */
const { subtle } = globalThis.crypto;
let underWay = 0;
for (const name of ["sign", "verify", "importKey", "exportKey", "digest"] as const) {
  const real: (...given: never[]) => Promise<unknown> = subtle[name].bind(subtle);
  const counted = (...given: never[]): Promise<unknown> => {
    underWay++;
    return real(...given).finally(() => {
      underWay--;
    });
  };
  Object.defineProperty(subtle, name, { value: counted });
}

/** Bodies of requests take some turns. */
const turns = 4;

export async function realWorkDone(): Promise<void> {
  do for (let left = turns; left > 0; left--) await turn();
  while (underWay > 0);
}
