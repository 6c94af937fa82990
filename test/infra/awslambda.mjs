/**
 * What Lambda's own Node runtime offers for streamed answers and emulators do not: loaded into their worker processes by NODE_OPTIONS, so that the
 * very bundles run that go to AWS. The answer is collected and handed over as one text: JSON prelude, eight zero bytes, body; where the body is no text
 * (protobuf), in base64 under a header by which the front door knows. So that a client of a watch hears anything, an answer that has said something and
 * fallen silent is cut, as a broken connection would do; its client comes again.
 */
import { isUtf8 } from "node:buffer";
import { Writable } from "node:stream";

if (process.env.CORACLE_NODE_VERSION !== process.version)
  throw new Error(`Lambdas would run under Node ${process.version}, not ${process.env.CORACLE_NODE_VERSION}`);

const separator = "\0".repeat(8);
const encodedHeader = "x-coracle-test-encoded";
const silenceMs = 300;
const longestMs = 10_000;

class Collector extends Writable {
  chunks = [];
  prelude = {};
  #silence;
  #end;

  _write(chunk, _encoding, done) {
    this.chunks.push(chunk);
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.destroy(), silenceMs);
    done();
  }

  _destroy(error, done) {
    clearTimeout(this.#silence);
    clearTimeout(this.#end);
    done(error);
  }

  begin(prelude) {
    this.prelude = prelude;
    this.#end = setTimeout(() => this.destroy(), longestMs);
  }

  setContentType() {}
}

globalThis.awslambda = {
  streamifyResponse:
    (handler) =>
    async (event, ...context) => {
      const stream = new Collector();
      const closed = new Promise((resolve) => stream.once("close", resolve));
      await Promise.all([handler(event, stream, ...context), closed]);
      const body = Buffer.concat(stream.chunks);
      const { headers, ...rest } = stream.prelude;
      const prelude = isUtf8(body) ? stream.prelude : { ...rest, headers: { ...headers, [encodedHeader]: "base64" } };
      return `${JSON.stringify(prelude)}${separator}${body.toString(isUtf8(body) ? "utf8" : "base64")}`;
    },
  HttpResponseStream: {
    from(stream, prelude) {
      stream.begin(prelude);
      return stream;
    },
  },
};
