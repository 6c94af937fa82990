/** Where containerd listens unless it is told otherwise. */
export const defaultEndpoint = "unix:///run/containerd/containerd.sock";

/** `/run/x.sock`, `unix:/run/x.sock` and `unix:///run/x.sock` all name the same socket. */
export function socketPathOf(endpoint: string): string {
  return endpoint.replace(/^unix:(\/\/)?/, "");
}
