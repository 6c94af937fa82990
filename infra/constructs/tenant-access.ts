import { Duration } from "aws-cdk-lib";
import { CompositePrincipal, type IGrantable, type IRole, Role } from "aws-cdk-lib/aws-iam";
import { Construct } from "constructs";
import { variables } from "../../functions/names/variables.ts";
import type { ClusterTable } from "./cluster-table.ts";

/** A function, or what else runs the program. */
export interface TenantAccessUser extends IGrantable {
  addEnvironment(name: string, value: string): unknown;
}

export interface TenantAccessProps {
  readonly clusters: ClusterTable;
}

/**
 * The role in which data of one tenant is reached. Its user takes it on with a session policy that allows partitions beginning with this
 * tenant's id alone (`dynamodb:LeadingKeys`): what it may do is where role and session policy agree.
 */
export class TenantAccess extends Construct {
  readonly role: IRole;

  constructor(scope: Construct, id: string, users: readonly TenantAccessUser[], { clusters }: TenantAccessProps) {
    super(scope, id);
    const principals = users.map((user) => user.grantPrincipal);
    const role = new Role(this, "Role", {
      description: "Coracle: one tenant's data, by session policy",
      assumedBy: new CompositePrincipal(...principals),
      // A role that takes on another may do so for an hour.
      maxSessionDuration: Duration.hours(1),
    });
    clusters.grantToSessions(role);
    for (const user of users) {
      role.grantAssumeRole(user.grantPrincipal);
      user.addEnvironment(variables.tenantRole, role.roleArn);
    }
    this.role = role;
  }
}
