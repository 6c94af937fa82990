import type { Patch } from "./planted/patches.ts";

/**
 * Limits of the product made small in a simulation, so that a history of a hundred writes crosses pages, partitions and parts as a cluster of a hundred
 * thousand objects does.
 */
export const scale: readonly Patch[] = [
  { file: "shared/store/dynamo/keys.ts", from: "revisionsPerPartition = 4096", to: "revisionsPerPartition = 24" },
  { file: "shared/store/dynamo/payload.ts", from: "inlineBytes = 350_000", to: "inlineBytes = 3_000" },
  // Half of the time would go into compressing the same few objects.
  { file: "shared/store/dynamo/payload.ts", from: "compressFrom = 700", to: "compressFrom = 3_000" },
  { file: "shared/store/dynamo/payload.ts", from: "partBytes = 380_000", to: "partBytes = 1_400" },
  { file: "shared/store/dynamo/snapshots.ts", from: "overlapEntries = 100", to: "overlapEntries = 6" },
  { file: "shared/store/dynamo/snapshots.ts", from: "pageEntries = 1000", to: "pageEntries = 9" },
  { file: "shared/store/dynamo/log-reader.ts", from: "aheadPlaces = 4096", to: "aheadPlaces = 240" },
  { file: "shared/store/dynamo/log-reader.ts", from: "aheadAtOnce = 1000", to: "aheadAtOnce = 30" },
  { file: "shared/store/dynamo/tail.ts", from: "pageEntries = 1000", to: "pageEntries = 11" },
  { file: "shared/store/lmdb/lmdb-store.ts", from: "catchUpEntries = 1000", to: "catchUpEntries = 7" },
  { file: "shared/store/lmdb/lmdb-store.ts", from: "dropChunk = 5000", to: "dropChunk = 5" },
  { file: "shared/store/lmdb/group-commit.ts", from: "fullGroup = 16", to: "fullGroup = 2" },
  // Names from the seed, so that a history replays.
  {
    file: "shared/host/cluster-runtime.ts",
    from: "uid: randomUUID,",
    to: 'uid: () => ["00000000-0000-4000-8000", Math.floor(random() * 2 ** 47).toString(16).padStart(12, "0")].join("-"),',
  },
];
