import { Duration } from "aws-cdk-lib";
import { CompositePrincipal, type IGrantable, type IRole, Role } from "aws-cdk-lib/aws-iam";
import { Construct } from "constructs";
import { variables } from "../../functions/names/variables.ts";
import type { PartitionAccess } from "../table-access.ts";
import type { ClusterTable } from "./cluster-table.ts";

/** A function, or what else runs the program. */
export interface TenantAccessUser extends IGrantable {
  addEnvironment(name: string, value: string): unknown;
}

export interface TenantAccessProps {
  readonly clusters: ClusterTable;
  /** What the role has of it: the most that a session can do. */
  readonly access: readonly PartitionAccess[];
}

/**
 * The role in which what is one tenant's is reached. Its user takes it on with a session policy (`functions/session-policy.ts`) that lets it into partitions
 * beginning with this tenant's id alone (`dynamodb:LeadingKeys`): what it may do is where role and session policy agree.
 */
export class TenantAccess extends Construct {
  readonly role: IRole;

  constructor(scope: Construct, id: string, users: readonly TenantAccessUser[], { clusters, access }: TenantAccessProps) {
    super(scope, id);
    const principals = users.map((user) => user.grantPrincipal);
    const role = new Role(this, "Role", {
      description: "Coracle: one tenant's data, by session policy",
      assumedBy: new CompositePrincipal(...principals),
      // A role that takes on another may do so for an hour.
      maxSessionDuration: Duration.hours(1),
    });
    clusters.grant(role, access);
    for (const user of users) {
      role.grantAssumeRole(user.grantPrincipal);
      user.addEnvironment(variables.tenantRole, role.roleArn);
    }
    this.role = role;
  }
}
