/**
 * What Lambda's own Node runtime offers for streamed answers and emulators do not: loaded into their worker processes by NODE_OPTIONS, so that the
 * very bundles run that go to AWS. The answer is collected and handed over as one text: JSON prelude, eight zero bytes, body. So that a client of a
 * watch hears anything, an answer that has said something and fallen silent is cut, as a broken connection would do; its client comes again.
 */
import { Writable } from "node:stream";

if (process.env.CORACLE_NODE_VERSION !== process.version)
  throw new Error(`Lambdas would run under Node ${process.version}, not ${process.env.CORACLE_NODE_VERSION}`);

const separator = Buffer.alloc(8);
const silenceMs = 300;
const longestMs = 10_000;

class Collector extends Writable {
  chunks = [];
  prelude = [];
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
    this.prelude = [Buffer.from(JSON.stringify(prelude)), separator];
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
      return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat([...stream.prelude, ...stream.chunks]));
    },
  HttpResponseStream: {
    from(stream, prelude) {
      stream.begin(prelude);
      return stream;
    },
  },
};
