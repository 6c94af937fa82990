import { chmodSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createEncoding, scopeOf } from "../../../shared/store/lmdb/encoding.ts";
import { LmdbStore } from "../../../shared/store/lmdb/lmdb-store.ts";
import type { Backend } from "../bench.ts";
import { cluster, seenEntry } from "../objects.ts";
import type { Plan } from "../plan.ts";
import { createRandom } from "../random.ts";
import { Truth } from "../truth.ts";
import { type DiskWrite, SimulatedDisk } from "./disk.ts";
import { mount } from "./driver.ts";

const encoding = createEncoding(undefined);
const scope = scopeOf(cluster);
let folder: string | undefined;

/** `LmdbStore` takes rights away from the files that it opened: these are the only real ones. */
function path(): string {
  if (folder === undefined) {
    folder = mkdtempSync(join(tmpdir(), "coracle-simulation-"));
    for (const name of ["data.mdb", "lock.mdb"]) writeFileSync(join(folder, name), "");
    chmodSync(folder, 0o700);
  }
  return folder;
}

/** One disk for one process at a time. */
export function createLmdbBackend(plan: Plan): Backend {
  const truth = new Truth();
  const witness = ({ database, key, value }: DiskWrite): void => {
    if (database !== "log" || typeof key === "string" || !Buffer.isBuffer(value)) return;
    truth.entry(seenEntry(encoding.decodeEntry(scope, key[1], value)));
  };
  const disk = new SimulatedDisk(createRandom(plan.seed, "disk"), witness);
  const backend: Backend = {
    truth,
    set healthy(healthy: boolean) {
      disk.capacity = healthy || plan.diskTransactions === undefined ? Number.POSITIVE_INFINITY : plan.diskTransactions;
    },
    openStore(process) {
      mount(path(), { disk, process });
      return new LmdbStore({ path: path(), now: () => process.clock.now() });
    },
    crashed() {
      disk.crash();
      const head = disk.table("heads").get(scope);
      truth.cut(typeof head === "string" ? (JSON.parse(head) as { revision: number }).revision : 0);
    },
    sweep() {},
  };
  backend.healthy = false;
  return backend;
}
