import { generateKeyPairSync, randomUUID } from "node:crypto";
import { Documents } from "../../../shared/api/non-resource.ts";
import { createTokenIssuer } from "../../../shared/auth/token.ts";
import type { Clock } from "../../../shared/clock.ts";
import type { ClusterRuntimeOptions } from "../../../shared/host/cluster-runtime.ts";
import type { Store } from "../../../shared/store/store.ts";
import { silentLog } from "../../../shared/telemetry/log.ts";

/** What a runtime stands on, over this store. */
export function runtimeOptions(store: Store, clock: Clock): ClusterRuntimeOptions {
  const signingKey = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  return {
    ...{ store, clock, log: silentLog, random: Math.random, documents: new Documents("127.0.0.1") },
    tokens: createTokenIssuer({ signingKey, clock, uid: randomUUID }),
    podStreamsOf: () => ({ log: () => Promise.reject(new Error("no logs")) }),
  };
}
