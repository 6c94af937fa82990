import { isStoreError, type LogEntry, type Operation } from "../../store/store.ts";
import type { ApiCluster } from "../api-cluster.ts";
import type { AdmissionAttributes } from "./attributes.ts";
import { chargeQuotas, concernsQuota } from "./quota.ts";
import { Turns } from "./turns.ts";

const attempts = 30;

/**
 * ResourceQuota: commits a write together with what it takes of the quotas of its namespace, or not at all, so that however many come at
 * once none is exceeded. Writes of one namespace take their turns from reading the quotas to handing in the commit, and where that was not
 * enough (another process, the controller) until the commit is through.
 */
export class QuotaGate {
  readonly #turns = new Turns();

  /** `commit` makes the transaction with further operations; `ahead` of its operations come before them. @throws StatusError `Forbidden` */
  commit(
    cluster: ApiCluster,
    attributes: AdmissionAttributes,
    ahead: number,
    commit: (charges: readonly Operation[]) => Promise<LogEntry[]>,
  ): Promise<LogEntry[]> {
    return concernsQuota(cluster, attributes) ? this.#inTurn(cluster, attributes, ahead, commit) : commit([]);
  }

  /** For a dry run: the same refusals, and nothing written. */
  async check(cluster: ApiCluster, attributes: AdmissionAttributes): Promise<void> {
    if (concernsQuota(cluster, attributes)) await chargeQuotas(cluster, attributes);
  }

  async #inTurn(
    cluster: ApiCluster,
    attributes: AdmissionAttributes,
    ahead: number,
    commit: (charges: readonly Operation[]) => Promise<LogEntry[]>,
  ): Promise<LogEntry[]> {
    for (let attempt = 0; ; attempt++) {
      const { landing, count } = await this.#turns.run(attributes.namespace, async () => {
        const charges = await chargeQuotas(cluster, attributes);
        const landing = commit(charges);
        if (attempt > 0) await Promise.allSettled([landing]);
        return { landing, count: charges.length };
      });
      try {
        return await landing;
      } catch (error) {
        if (!isStoreError(error, "RevisionConflict") || error.index === undefined) throw error;
        const ofQuota = error.index >= ahead && error.index < ahead + count;
        if (!ofQuota || attempt >= attempts) throw error;
      }
    }
  }
}
