import { open } from "lmdb";

const tables = ["heads", "objects", "log", "records"] as const;

export interface StoreSearch {
  /** Keys that were looked at, so that nobody trusts a search in an empty store. */
  readonly keys: number;
  /** Each key, and each value of a record, that contains one of the words. */
  readonly found: readonly string[];
}

/** Looks through the files of the embedded store, past its adapter. The server must not run. */
export async function searchStore(path: string, words: readonly string[]): Promise<StoreSearch> {
  const root = open({ path, maxDbs: 16, readOnly: true });
  const found: string[] = [];
  let keys = 0;
  for (const name of tables) {
    const table = root.openDB<Buffer, string>({ name, encoding: "binary" });
    for (const { key, value } of table.getRange()) {
      keys++;
      const text = `${JSON.stringify(key)}${name === "records" ? ` ${value.toString()}` : ""}`;
      if (words.some((word) => text.includes(word))) found.push(`${name} ${text}`);
    }
  }
  await root.close();
  return { keys, found };
}
