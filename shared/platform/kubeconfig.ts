import { stringify } from "yaml";

export interface KubeconfigInput {
  /** Names the cluster, the context and the user: `coracle-<name>`. */
  readonly name: string;
  readonly server: string;
  /** Of the authority that the server's certificate comes from; undefined: one that everybody trusts. */
  readonly caPem: string | undefined;
  readonly user:
    | { readonly kind: "token"; readonly token: string }
    /** A command that prints an ExecCredential (client.authentication.k8s.io/v1). */
    | { readonly kind: "exec"; readonly command: string; readonly args: readonly string[] };
}

/** A kubeconfig (clientcmd `Config` v1) with one context, in YAML. */
export function renderKubeconfig({ name, server, caPem, user }: KubeconfigInput): string {
  const entry = `coracle-${name}`;
  return stringify({
    apiVersion: "v1",
    kind: "Config",
    "current-context": entry,
    clusters: [
      {
        name: entry,
        cluster: { server, ...(caPem !== undefined && { "certificate-authority-data": Buffer.from(caPem).toString("base64") }) },
      },
    ],
    contexts: [{ name: entry, context: { cluster: entry, user: entry, namespace: "default" } }],
    users: [
      {
        name: entry,
        user:
          user.kind === "token"
            ? { token: user.token }
            : {
                exec: {
                  apiVersion: "client.authentication.k8s.io/v1",
                  command: user.command,
                  args: user.args,
                  interactiveMode: "Never",
                  provideClusterInfo: false,
                  installHint: "The coracle CLI must be on the PATH: it fetches a token for this cluster.",
                },
              },
      },
    ],
  });
}
