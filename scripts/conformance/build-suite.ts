import { existsSync, renameSync } from "node:fs";
import { join } from "node:path";
import { kubernetesRelease, layKubernetesModule } from "../kubernetes/module.ts";

export interface Suite {
  readonly test: string;
  readonly ginkgo: string;
  /** What most of the tests' pods run: servers, clients and checks, in one static program. */
  readonly agnhost: string;
}

/** Builds Kubernetes' own end-to-end tests from the Go module proxy, once; some ten minutes of two processors and 1 GB of modules. @throws Error when Go fails */
export function buildSuite(directory: string): Suite {
  const built = (name: string): string => join(directory, `${name}-${kubernetesRelease}`);
  const suite = { test: `${built("e2e")}.test`, ginkgo: built("ginkgo"), agnhost: built("agnhost") };
  if (Object.values(suite).every((program) => existsSync(program))) return suite;
  const source = join(directory, "source");
  const tests = ["e2e", "images/agnhost"].map((name) => `k8s.io/kubernetes/test/${name}`);
  const { go } = layKubernetesModule(source, ["github.com/onsi/ginkgo/v2/ginkgo", ...tests]);
  go("get", "-t", ...tests.map((path) => `${path}@v${kubernetesRelease}`));
  go("test", "-vet=off", "-c", "-ldflags", "-s -w", "-o", "e2e.test", "k8s.io/kubernetes/test/e2e");
  go("build", "-o", "ginkgo", "github.com/onsi/ginkgo/v2/ginkgo");
  go("build", "-ldflags", "-s -w", "-o", "agnhost", "k8s.io/kubernetes/test/images/agnhost");
  renameSync(join(source, "e2e.test"), suite.test);
  renameSync(join(source, "ginkgo"), suite.ginkgo);
  renameSync(join(source, "agnhost"), suite.agnhost);
  return suite;
}
