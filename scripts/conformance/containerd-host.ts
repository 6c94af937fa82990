import { copyFile, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { importImage } from "../../test/e2e/container-images.ts";
import { type ContainerdCluster, startContainerdCluster } from "../../test/e2e/containerd-cluster.ts";
import { fillWithBusybox } from "../../test/e2e/containerd-fixture.ts";

/** Where the tests break and mend a web server: what they take away from there it no longer serves. */
const documents = "usr/local/apache2/htdocs";
/** It has no answer to SIGTERM as the first process of a container: like the real one, its image says what ends it. */
const httpd: readonly string[] = ["/bin/httpd", "-f", "-p", "80", "-h", `/${documents}`];

/** The images that Kubernetes 1.33.13's tests name (`test/utils/image/manifest.go`) and what each runs here: nothing is pulled from anywhere. */
const images: Readonly<Record<string, readonly string[]>> = {
  "registry.k8s.io/e2e-test-images/agnhost:2.53": ["/agnhost", "pause"],
  "registry.k8s.io/e2e-test-images/busybox:1.36.1-1": ["/bin/sh"],
  "registry.k8s.io/e2e-test-images/httpd:2.4.38-4": httpd,
  "registry.k8s.io/e2e-test-images/httpd:2.4.39-4": httpd,
  "registry.k8s.io/e2e-test-images/nginx:1.14-4": ["/agnhost", "test-webserver"],
  "registry.k8s.io/e2e-test-images/nginx:1.15-4": ["/agnhost", "test-webserver"],
  "registry.k8s.io/pause:3.10": ["/agnhost", "pause"],
};

/** The embedded host over a containerd of its own that holds the images of the tests. Webhooks may be pods of it. */
export async function startContainerdHost(nodes: number, agnhost: string): Promise<ContainerdCluster> {
  const cluster = await startContainerdCluster({ nodes, environment: { CORACLE_WEBHOOK_NETWORKS: "10.0.0.0/8" } });
  try {
    for (const [name, command] of Object.entries(images)) {
      const [entrypoint, ...args] = command;
      await importImage(cluster.containerd.socket, cluster.containerd.directory, {
        name,
        config: { Env: ["PATH=/bin"], Entrypoint: [entrypoint], Cmd: args, ...(command === httpd && { StopSignal: "SIGKILL" }) },
        async fill(root) {
          await fillWithBusybox(root);
          await copyFile(agnhost, join(root, "agnhost"));
          for (const folder of [documents, "var/tmp"]) await mkdir(join(root, folder), { recursive: true });
          await writeFile(join(root, documents, "index.html"), "<html><body><h1>It works!</h1></body></html>\n");
        },
      });
    }
    return cluster;
  } catch (error) {
    await cluster.stop();
    throw error;
  }
}
