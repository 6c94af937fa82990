import { Readable } from "node:stream";
import type { ApiRequest } from "../../shared/api/request-info.ts";
import { StatusError } from "../../shared/kubernetes/status-error.ts";
import type { Letters, RequestHead } from "./messages.ts";

/** Who is at the other end. */
export interface FrontConnection {
  readonly address: string | undefined;
  /** DER. The same buffer for every request of the connection. */
  readonly certificate: Buffer | undefined;
}

export interface BodyReceiver {
  data(bytes: Buffer): void;
  end(): void;
  /** It ended early. */
  broken(): void;
}

/** A body that comes in pieces, in its own time. */
export interface ComingBody {
  receive(receiver: BodyReceiver): void;
  /** So many bytes were taken: as many more may come. */
  took(bytes: number): void;
}

/** Of these Node keeps the first where a client sends several (`http.IncomingMessage.headers`). */
const single = new Set([
  "age",
  "authorization",
  "content-length",
  "content-type",
  "etag",
  "expires",
  "from",
  "host",
  "if-modified-since",
  "if-unmodified-since",
  "last-modified",
  "location",
  "max-forwards",
  "proxy-authorization",
  "referer",
  "retry-after",
  "server",
  "user-agent",
]);

/** A request as the front told it. */
export class FrontRequest implements ApiRequest {
  readonly method: string;
  readonly url: string;
  readonly upgradable: boolean;
  readonly #headers: readonly string[];
  readonly #connection: FrontConnection;
  readonly #body: Letters | ComingBody;
  #closed = false;
  readonly #closeListeners: (() => void)[] = [];

  constructor([, , method, url, headers, upgradable]: RequestHead, connection: FrontConnection, body: Letters | ComingBody) {
    this.method = method;
    this.url = url;
    this.upgradable = upgradable;
    this.#headers = headers;
    this.#connection = connection;
    this.#body = body;
  }

  /** Of several with one name as Node joins them. */
  header(name: string): string | undefined {
    const headers = this.#headers;
    let value: string | undefined;
    for (let index = 0; index < headers.length; index += 2) {
      const found = headers[index];
      if (found?.length !== name.length || (found !== name && found.toLowerCase() !== name)) continue;
      if (value === undefined) value = headers[index + 1];
      else if (single.has(name)) return value;
      else value += `${name === "cookie" ? ";" : ","} ${headers[index + 1]}`;
    }
    return value;
  }

  headersFrom(prefix: string): [string, string][] {
    return this.headers().filter(([name]) => name.startsWith(prefix));
  }

  /** All, in lower case, as they came. */
  headers(): [string, string][] {
    const pairs: [string, string][] = [];
    for (let index = 0; index + 1 < this.#headers.length; index += 2)
      pairs.push([this.#headers[index]?.toLowerCase() ?? "", this.#headers[index + 1] ?? ""]);
    return pairs;
  }

  get clientAddress(): string | undefined {
    return this.#connection.address;
  }

  clientCertificate(): Buffer | undefined {
    return this.#connection.certificate;
  }

  onClosed(listener: () => void): void {
    if (this.#closed) listener();
    else this.#closeListeners.push(listener);
  }

  /** The answer has been sent, or whoever asked has gone. */
  closed(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const listener of this.#closeListeners) listener();
  }

  /** The declared length is checked first, so that a body over the limit is refused without being read. */
  body(limit: number): Promise<Buffer> {
    const body = this.#body;
    const tooLarge = (): StatusError => new StatusError("RequestEntityTooLarge", `Request entity too large: limit is ${limit}`);
    if (typeof body === "string") return body.length > limit ? Promise.reject(tooLarge()) : Promise.resolve(Buffer.from(body, "latin1"));
    if (Number(this.header("content-length") ?? 0) > limit) return Promise.reject(tooLarge());
    return new Promise((resolve, reject) => {
      const chunks: Buffer[] = [];
      let size = 0;
      body.receive({
        data(bytes) {
          size += bytes.length;
          body.took(bytes.length);
          if (size <= limit) chunks.push(bytes);
          else reject(tooLarge());
        },
        end: () => resolve(Buffer.concat(chunks)),
        broken: () => reject(new StatusError("BadRequest", "the request body ended early")),
      });
    });
  }

  stream(): Readable {
    const body = this.#body;
    if (typeof body === "string") return Readable.from(body === "" ? [] : [Buffer.from(body, "latin1")], { objectMode: false });
    let untaken = 0;
    const stream = new Readable({
      read() {
        if (untaken > 0) body.took(untaken);
        untaken = 0;
      },
    });
    body.receive({
      data(bytes) {
        if (stream.push(bytes)) body.took(bytes.length);
        else untaken += bytes.length;
      },
      end: () => stream.push(null),
      broken: () => stream.destroy(new Error("the request body ended early")),
    });
    // Whoever does not read any more does not want to know either.
    stream.on("error", () => {});
    return stream;
  }

  /** The body as web-standard objects take it. */
  webBody(): Buffer<ArrayBuffer> | ReadableStream | undefined {
    const body = this.#body;
    if (body === "") return undefined;
    return typeof body === "string" ? Buffer.from(body, "latin1") : (Readable.toWeb(this.stream()) as ReadableStream);
  }
}
