import { operatorApiKey, operatorPrefix, parseApiKey } from "../shared/auth/api-key.ts";
import type { Platform } from "../shared/platform/platform.ts";
import { isPlatformError } from "../shared/platform/problem.ts";
import type { Dependencies } from "./dependencies.ts";

const operatorTenant = "operator";

/**
 * How the first key comes into an installation: it is made of a secret that the operator can read and nobody else. Only a call that bears a key of that
 * form makes the function look at the secret, and only the first such call writes anything.
 */
export function createOperatorDoor(
  { environment, readSecret }: Dependencies,
  { keys, tenants }: Pick<Platform, "keys" | "tenants">,
): (request: Request) => Promise<void> {
  let settled = false;
  return async (request) => {
    const key = /^Bearer +(\S+)$/i.exec(request.headers.get("authorization") ?? "")?.[1] ?? "";
    if (settled || environment.operatorSecret === undefined || parseApiKey(key)?.prefix !== operatorPrefix) return;
    if ((await keys.authenticate(key)) === undefined) {
      const token = operatorApiKey((await readSecret(environment.operatorSecret)).trim());
      if (token.token !== key) return;
      await tenants.create({ id: operatorTenant, name: operatorTenant }).catch((error: unknown) => {
        if (!isPlatformError(error, "name-taken")) throw error;
      });
      await keys.adoptOperatorKey(operatorTenant, token);
    }
    settled = true;
  };
}
