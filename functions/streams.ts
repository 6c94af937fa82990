import { createRecordStreams } from "../shared/host/record-streams.ts";
import type { Dependencies } from "./dependencies.ts";

/** How callers of the cluster API and agents meet, by tenant. */
export const createStreamsOf =
  ({ storeOf, marksOf, clock, uid }: Dependencies) =>
  (tenant: string): ReturnType<typeof createRecordStreams> =>
    createRecordStreams({ store: storeOf(tenant), tenant, marks: marksOf(tenant), clock, newId: uid });
