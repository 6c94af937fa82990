/**
 * What the thread that holds the connections (the front) and the one that answers (the host) tell each other: tuples, many of them in one message. `Letters` are
 * bytes, one letter (latin1) for each: V8 copies such text from thread to thread at the speed of memory, where every Buffer is an object to be made on both sides.
 */
export type Letters = string;

/** The first of each tuple: numbers, since it is copied with every one. */
export const to = {
  // The front.
  listen: 0,
  end: 1,
  answer: 2,
  begin: 3,
  write: 4,
  piece: 5,
  finish: 6,
  cut: 7,
  fail: 8,
  switch: 9,
  hostTook: 10,
  // The host.
  listening: 20,
  refused: 21,
  ended: 22,
  connected: 23,
  disconnected: 24,
  request: 25,
  data: 26,
  dataEnd: 27,
  dataBroken: 28,
  frontTook: 29,
  pieceFree: 30,
  switched: 31,
  closed: 32,
  unsendable: 33,
} as const;

export type Headers = Readonly<Record<string, string | readonly string[]>>;
type Head = readonly [status: number, headers: Headers];

/** `exchange` is a request and its answer, numbered by the front. */
export type ToFront =
  | readonly [typeof to.listen, port: number, host: string]
  /** Take no new connections, and cut off those that are left after so many milliseconds. */
  | readonly [typeof to.end, patienceMs: number]
  /** A whole answer. Nothing else is told of its exchange, by nobody. */
  | readonly [typeof to.answer, exchange: number, ...Head, Letters]
  /** An answer of which `write`s or `piece`s follow, then `finish`. */
  | readonly [typeof to.begin, exchange: number, ...Head]
  | readonly [typeof to.write, exchanges: readonly number[], Letters]
  /** So many bytes from the beginning of the shared memory, which is the front's until `pieceFree`. */
  | readonly [typeof to.piece, exchange: number, memory: SharedArrayBuffer, bytes: number]
  | readonly [typeof to.finish, exchange: number]
  /** So that the receiver sees that something is missing. */
  | readonly [typeof to.cut, exchange: number]
  /** There is no answer: 500 where nothing was sent yet, else `cut`. */
  | readonly [typeof to.fail, exchange: number]
  /** 101 with these headers. After `switched` the connection carries `write` and `data`. */
  | readonly [typeof to.switch, exchange: number, headers: Readonly<Record<string, string>>]
  /** So many bytes of `data` were taken by whom they are for. */
  | readonly [typeof to.hostTook, exchange: number, bytes: number];

export type ToHost =
  | readonly [typeof to.listening, port: number]
  /** The port cannot be had. */
  | readonly [typeof to.refused, error: Error, code: string | undefined]
  | readonly [typeof to.ended]
  /** Before a connection's first request. The certificate is the client's (DER). */
  | readonly [typeof to.connected, connection: number, address: string | undefined, certificate: Letters | undefined]
  | readonly [typeof to.disconnected, connection: number]
  /** A body that is not there comes as `data`. */
  | readonly [typeof to.request, RequestHead, body: Letters | undefined]
  /** Of a body that did not come with its request, or of a connection that was switched. */
  | readonly [typeof to.data, exchange: number, Letters]
  | readonly [typeof to.dataEnd, exchange: number]
  | readonly [typeof to.dataBroken, exchange: number]
  /** So many bytes of `write`s were taken by the connection. */
  | readonly [typeof to.frontTook, exchange: number, bytes: number]
  | readonly [typeof to.pieceFree, exchange: number]
  | readonly [typeof to.switched, exchange: number]
  /** The receiver has gone, or has all of an answer that was begun. */
  | readonly [typeof to.closed, exchange: number]
  /** An answer is not HTTP; whoever asked has been told so. */
  | readonly [typeof to.unsendable, error: unknown];

export type RequestHead = readonly [
  exchange: number,
  connection: number,
  method: string,
  url: string,
  /** Names and values in turn, as they came. */
  headers: readonly string[],
  upgradable: boolean,
];

/** What may be under way to a receiver before it is told to have been taken. */
export const windowBytes = 64 * 1024;
/** So much is taken before that is told. */
export const tellFromBytes = windowBytes / 4;

/** What the front is started with. */
export interface FrontOptions {
  /** PEM. */
  readonly key: string;
  readonly cert: string;
  /** Whether agents' connections may become tunnels. */
  readonly tunnels: boolean;
}
