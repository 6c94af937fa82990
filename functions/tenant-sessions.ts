import { DynamoDBClient, type DynamoDBClientConfig } from "@aws-sdk/client-dynamodb";
import { AssumeRoleCommand, STSClient } from "@aws-sdk/client-sts";
import { RecentMap } from "../shared/recent-map.ts";
import { AwsTable } from "../shared/store/dynamo/aws-table.ts";
import type { Table } from "../shared/store/dynamo/table.ts";
import { sessionPolicy } from "./session-policy.ts";

/** The longest session of a role that was taken on from a role. */
const sessionSeconds = 3600;
/** Tenants whose table is kept, some 40 KB each. */
const kept = 500;

export interface TenantSessionsOptions {
  readonly table: string;
  readonly role: string;
  readonly client: DynamoDBClientConfig;
}

/** The table by tenant, each behind credentials that know no other tenant. They are fetched at the first use and kept until they expire. */
export function tenantSessions({ table, role, client }: TenantSessionsOptions): (tenant: string) => Table {
  const sts = new STSClient({});
  const tables = new RecentMap<string, Table>(kept);
  return (tenant) => {
    const known = tables.get(tenant);
    if (known) return known;
    const credentials = async () => {
      const { Credentials } = await sts.send(
        new AssumeRoleCommand({
          RoleArn: role,
          RoleSessionName: `tenant-${tenant}`.replace(/[^\w+=,.@-]/g, "-").slice(0, 64),
          DurationSeconds: sessionSeconds,
          Policy: JSON.stringify(sessionPolicy(tenant)),
        }),
      );
      const { AccessKeyId: accessKeyId, SecretAccessKey: secretAccessKey, SessionToken, Expiration } = Credentials ?? {};
      if (accessKeyId === undefined || secretAccessKey === undefined) throw new Error(`no session for the tenant ${tenant}`);
      return {
        accessKeyId,
        secretAccessKey,
        ...(SessionToken !== undefined && { sessionToken: SessionToken }),
        ...(Expiration !== undefined && { expiration: Expiration }),
      };
    };
    // The client remembers what the function answers, and asks anew some minutes before it expires.
    const made = new AwsTable(new DynamoDBClient({ ...client, maxAttempts: 1, credentials }), table);
    tables.set(tenant, made);
    return made;
  };
}
