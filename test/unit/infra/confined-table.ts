import { keyOfWrite, type Table } from "../../../shared/store/dynamo/table.ts";

/** IAM's StringLike, for patterns whose only wildcard is `*`. */
function isLike(text: string, pattern: string): boolean {
  const words = pattern.split("*").map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${words.join(".*")}$`, "s").test(text);
}

/** A table as `dynamodb:LeadingKeys` confines it: every partition that a call names must be like one of the patterns, or may be read alone. */
export function confinedTable(
  table: Table,
  patterns: readonly string[],
  onCall: (partition: string) => void = () => {},
  readable: readonly string[] = [],
): Table {
  const admit = (partitions: readonly string[], reads = false): void => {
    for (const partition of partitions) {
      onCall(partition);
      if (reads && readable.some((pattern) => isLike(partition, pattern))) continue;
      if (!patterns.some((pattern) => isLike(partition, pattern))) throw new Error(`AccessDeniedException: ${partition} for ${patterns}`);
    }
  };
  return {
    async get(key) {
      admit([key.pk], true);
      return table.get(key);
    },
    async getMany(keys) {
      admit(
        keys.map(({ pk }) => pk),
        true,
      );
      return table.getMany(keys);
    },
    async query(pk, range) {
      admit([pk], true);
      return table.query(pk, range);
    },
    async write(write) {
      admit([keyOfWrite(write).pk]);
      return table.write(write);
    },
    async writeTogether(writes, token) {
      admit(writes.map((write) => keyOfWrite(write).pk));
      return table.writeTogether(writes, token);
    },
    async writeMany(writes) {
      admit(writes.map((write) => keyOfWrite(write).pk));
      return table.writeMany(writes);
    },
    close: () => table.close(),
  };
}
