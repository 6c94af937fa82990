import type { Violation } from "../history.ts";
import type { Truth } from "../truth.ts";
import type { Answer } from "./client.ts";

interface WatchEvent {
  readonly type: string;
  readonly object: { readonly metadata?: { readonly name?: string; readonly resourceVersion?: string }; readonly code?: number };
}

interface SeenEvent {
  readonly type: string;
  readonly name: string;
  readonly revision: number;
}

/** A list, or what a watch said between two of its revisions. */
type Chapter =
  | { readonly kind: "list"; readonly revision: number; readonly items: readonly { readonly name: string; readonly revision: number }[] }
  | { readonly kind: "watch"; readonly after: number; readonly through: number; readonly events: readonly SeenEvent[] };

/** A client that lists pods and then watches, again and again from where it was, as an informer does. */
export class ApiWatcher {
  readonly name: string;
  readonly #get: (path: string) => Promise<Answer | undefined>;
  readonly #chapters: Chapter[] = [];
  #revision: number | undefined;
  /** Watches that were resumed. */
  resumed = 0;

  constructor(name: string, get: (path: string) => Promise<Answer | undefined>) {
    this.name = name;
    this.#get = get;
  }

  get revision(): number {
    return this.#revision ?? 0;
  }

  /** One request, and what comes of it. */
  async step(): Promise<void> {
    if (this.#revision === undefined) await this.#list();
    else await this.#watch(this.#revision);
  }

  async #list(): Promise<void> {
    const answer = await this.#get("/pods");
    if (answer?.status !== 200) return;
    const { metadata, items } = JSON.parse(answer.text) as {
      metadata: { resourceVersion: string };
      items: { metadata: { name: string; resourceVersion: string } }[];
    };
    this.#revision = Number(metadata.resourceVersion);
    const shown = items.map((item) => ({ name: item.metadata.name, revision: Number(item.metadata.resourceVersion) }));
    this.#chapters.push({ kind: "list", revision: this.#revision, items: shown });
  }

  async #watch(after: number): Promise<void> {
    const answer = await this.#get(`/pods?watch=true&allowWatchBookmarks=true&timeoutSeconds=2&resourceVersion=${after}`);
    if (answer?.status === 410) this.#revision = undefined;
    if (answer?.status !== 200) return;
    const events: SeenEvent[] = [];
    let through = after;
    for (const line of answer.text.split("\n")) {
      if (line === "") continue;
      const { type, object } = JSON.parse(line) as WatchEvent;
      if (type === "ERROR") {
        this.#revision = undefined;
        break;
      }
      const revision = Number(object.metadata?.resourceVersion);
      // A bookmark says that everything up to it has been told.
      through = Math.max(through, revision);
      if (type !== "BOOKMARK") events.push({ type, name: object.metadata?.name ?? "", revision });
    }
    this.#chapters.push({ kind: "watch", after, through, events });
    this.resumed++;
    if (this.#revision !== undefined) this.#revision = through;
  }

  /** What it saw is what the log says: complete, in order and once, from one request to the next. */
  *check(truth: Truth): Generator<Violation> {
    const isPod = ({ path }: { path: string }): boolean => path.startsWith("pods\u0001default\u0001");
    const nameOf = (path: string): string => path.slice(path.lastIndexOf("\u0001") + 1);
    for (const chapter of this.#chapters) {
      if (chapter.kind === "list") {
        const right = [...truth.stateAt(chapter.revision).values()]
          .filter(isPod)
          .map(({ path, revision }) => `${nameOf(path)}@${revision}`);
        const shown = chapter.items.map(({ name, revision }) => `${name}@${revision}`);
        if (right.sort().join() !== shown.sort().join())
          yield { rule: "a list of the API is exact", story: `${this.name} at ${chapter.revision}: ${shown} instead of ${right}` };
        continue;
      }
      const right = truth
        .between(chapter.after, chapter.through)
        .filter(isPod)
        .map(({ type, path, revision }) => `${type} ${nameOf(path)}@${revision}`);
      const told = chapter.events.map(({ type, name, revision }) => `${type} ${name}@${revision}`);
      if (right.join() !== told.join())
        yield {
          rule: "a watch of the API is complete, in order and once",
          story: `${this.name} in (${chapter.after}, ${chapter.through}]: ${told.join(", ")} instead of ${right.join(", ")}`,
        };
    }
  }
}
