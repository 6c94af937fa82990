/** How often agents of a host that does not hold calls are to ask for news. */
export interface Polling {
  /** While there is work for the node, … */
  readonly pollSeconds: number;
  /** … and when there was none for a minute. */
  readonly idlePollSeconds: number;
}

/** What an agent says with its call and hears in the answer, opaque to it: so whichever process answers knows what another one told it. */
export interface PollingState {
  /** The node's state of which it was told everything. */
  readonly known: string;
  /** Until when it counts as busy, in milliseconds since 1970. */
  readonly busyUntilMs: number;
}

/** How long a node counts as busy after there was work for it. */
const busyMs = 60_000;
const separator = "/";

export const writeState = ({ known, busyUntilMs }: PollingState): string => `${known}${separator}${busyUntilMs}`;

/** `undefined`: the agent said nothing that was written here. It may say what it likes: nobody is busy for longer than a minute. */
export function readState(word: string | undefined, nowMs: number): PollingState | undefined {
  const [, known, busyUntil] = /^([^/]+)\/(\d{1,15})$/.exec(word ?? "") ?? [];
  return known === undefined ? undefined : { known, busyUntilMs: Math.min(Number(busyUntil), nowMs + busyMs) };
}

export const busyFrom = (nowMs: number): number => nowMs + busyMs;

export const nextSyncSeconds = ({ pollSeconds, idlePollSeconds }: Polling, busyUntilMs: number, nowMs: number): number =>
  busyUntilMs > nowMs ? pollSeconds : idlePollSeconds;
