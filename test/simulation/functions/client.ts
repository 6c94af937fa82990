import type { Fetch } from "../../../agent/transport.ts";
import type { BufferedAnswer } from "../../../functions/lambda.ts";
import { urlEventOf } from "../../unit/functions/function-bed.ts";
import type { SimulatedProcess } from "../process.ts";
import type { Random } from "../random.ts";
import type { World } from "../world.ts";
import type { InstancePool } from "./instance-pool.ts";

export interface Answer {
  readonly status: number;
  readonly text: string;
}

export interface Wire {
  readonly world: World;
  readonly random: Random;
  /** Share of requests whose way there or back fails. */
  readonly lostCalls: () => number;
  /** So many of an agent's calls may be lost one after another. Absent: any number. */
  readonly mostLost?: () => number;
}

/** What was asked of the cluster API, as it is metered. */
export class RequestCount {
  /** Whose answers were made. */
  answered = 0;
  /** Whose function did not come back: they may have been counted. */
  unknown = 0;
}

/** A request over a network that loses some: `undefined` where there is no answer. */
export async function ask(
  { world, random, lostCalls }: Wire,
  pool: InstancePool<BufferedAnswer>,
  event: unknown,
  count?: RequestCount,
): Promise<Answer | undefined> {
  await world.sleep(random.between(1, 30));
  if (random.chance(lostCalls())) return undefined;
  let answer: BufferedAnswer;
  try {
    answer = await pool.invoke(event);
  } catch {
    if (count) count.unknown++;
    return undefined;
  }
  if (count && answer.statusCode < 500 && answer.statusCode !== 429) count.answered++;
  await world.sleep(random.between(1, 30));
  if (random.chance(lostCalls())) return undefined;
  return { status: answer.statusCode, text: Buffer.from(answer.body, "base64").toString("utf8") };
}

/** As `platform` and `cluster` of the bed of the functions' unit tests. @throws where there is no answer */
export const caller =
  (wire: Wire, pool: InstancePool<BufferedAnswer>) => async (method: string, path: string, token: string, body?: unknown) => {
    const answer = await ask(wire, pool, urlEventOf(method, path, token, body));
    if (!answer) throw new Error("no answer");
    return { ...answer, headers: {}, json: () => JSON.parse(answer.text) };
  };

/** What an agent's process asks over HTTP. It hears nothing any more when it is dead, and later when it is stopped. */
export const fetchOver =
  (wire: Wire, pool: InstancePool<BufferedAnswer>) =>
  (process: SimulatedProcess): Fetch => {
    let lost = 0;
    const lostCalls = (): number => (lost < (wire.mostLost?.() ?? Number.POSITIVE_INFINITY) ? wire.lostCalls() : 0);
    return (url, { headers, body }) =>
      new Promise((resolve, reject) => {
        if (!process.alive) return;
        const { authorization = "" } = headers;
        const event = urlEventOf("POST", new URL(url).pathname, authorization.replace("Bearer ", ""), JSON.parse(String(body)));
        void ask({ ...wire, lostCalls }, pool, event).then((answer) => {
          lost = answer ? 0 : lost + 1;
          process.after(answer ? 0 : 1000, () =>
            answer ? resolve({ status: answer.status, text: () => Promise.resolve(answer.text) }) : reject(new Error("no answer")),
          );
        });
      });
  };
