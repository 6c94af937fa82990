import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** The release whose API this project serves. */
export const kubernetesRelease = "1.33.13";

const stagingVersion = kubernetesRelease.replace(/^1/, "v0");
/** What k8s.io/kubernetes keeps in its own tree and publishes as modules: its go.mod names them by paths that only that tree has. */
const staging = [
  ...["api", "apiextensions-apiserver", "apimachinery", "apiserver", "cli-runtime", "client-go", "cloud-provider", "cluster-bootstrap"],
  ...["code-generator", "component-base", "component-helpers", "controller-manager", "cri-api", "cri-client", "csi-translation-lib"],
  ...["dynamic-resource-allocation", "endpointslice", "externaljwt", "kms", "kube-aggregator", "kube-controller-manager", "kube-proxy"],
  ...["kube-scheduler", "kubectl", "kubelet", "metrics", "mount-utils", "pod-security-admission", "sample-apiserver"],
  ...["sample-cli-plugin", "sample-controller"],
];
/** Not every patch release of every module is published; the tests use a few types of this one. */
const publishedInstead: Readonly<Record<string, string>> = { "sample-apiserver": "v0.33.4" };

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
  mkdirSync(source, { recursive: true });
  const replaced = staging.map((name) => `replace k8s.io/${name} => k8s.io/${name} ${publishedInstead[name] ?? stagingVersion}`);
  writeFileSync(
    join(source, "go.mod"),
    ["module conformance", "go 1.24.0", `require k8s.io/kubernetes v${kubernetesRelease}`, ...replaced, ""].join("\n"),
  );
  writeFileSync(
    join(source, "tests.go"),
    '//go:build tests\n\npackage conformance\n\nimport (\n\t_ "github.com/onsi/ginkgo/v2/ginkgo"\n\t_ "k8s.io/kubernetes/test/e2e"\n\t_ "k8s.io/kubernetes/test/images/agnhost"\n)\n',
  );
  const go = (...args: string[]): void => {
    process.stderr.write(`go ${args.join(" ")}\n`);
    execFileSync("go", args, { cwd: source, stdio: ["ignore", "inherit", "inherit"], env: { ...process.env, CGO_ENABLED: "0" } });
  };
  go("get", "-t", ...["e2e", "images/agnhost"].map((tests) => `k8s.io/kubernetes/test/${tests}@v${kubernetesRelease}`));
  go("test", "-vet=off", "-c", "-ldflags", "-s -w", "-o", "e2e.test", "k8s.io/kubernetes/test/e2e");
  go("build", "-o", "ginkgo", "github.com/onsi/ginkgo/v2/ginkgo");
  go("build", "-ldflags", "-s -w", "-o", "agnhost", "k8s.io/kubernetes/test/images/agnhost");
  renameSync(join(source, "e2e.test"), suite.test);
  renameSync(join(source, "ginkgo"), suite.ginkgo);
  renameSync(join(source, "agnhost"), suite.agnhost);
  return suite;
}
