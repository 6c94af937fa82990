import { createClustersById } from "../shared/host/clusters-by-id.ts";
import { recordKeys } from "../shared/platform/record-keys.ts";
import { clusterRecord, getRecord } from "../shared/platform/records.ts";
import type { Dependencies } from "./dependencies.ts";

/** Whose a cluster is is looked up first, then it is reached in its tenant's name. */
export const clustersById = ({ store, storeOf, installation }: Dependencies) =>
  createClustersById({
    ...{ storeOf, caKeyPem: installation.caKeyPem },
    async find(id) {
      const [record] = await store.getRecords([recordKeys.clusterTenant(id)]);
      const tenant = record?.value.tenant;
      return typeof tenant === "string" ? getRecord(storeOf(tenant), clusterRecord, recordKeys.cluster(tenant, id)) : undefined;
    },
  });
