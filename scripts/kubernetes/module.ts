import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
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

/** A Go module in a folder that exists, to build packages of Kubernetes in. */
export interface KubernetesModule {
  /** Runs `go` in it; what Go says goes to the standard error output. @throws Error when it fails */
  go(...args: readonly string[]): void;
}

/** Lays out a Go module in which the packages of `k8s.io/kubernetes` that `imports` names can be built, from the Go module proxy. */
export function layKubernetesModule(directory: string, imports: readonly string[]): KubernetesModule {
  mkdirSync(directory, { recursive: true });
  const replaced = staging.map((name) => `replace k8s.io/${name} => k8s.io/${name} ${publishedInstead[name] ?? stagingVersion}`);
  const module = ["module built", "go 1.24.0", `require k8s.io/kubernetes v${kubernetesRelease}`, ...replaced, ""];
  writeFileSync(join(directory, "go.mod"), module.join("\n"));
  const imported = imports.map((path) => `\t_ "${path}"`).join("\n");
  writeFileSync(join(directory, "built.go"), `//go:build imports\n\npackage built\n\nimport (\n${imported}\n)\n`);
  const go = (...args: readonly string[]): void => {
    process.stderr.write(`go ${args.join(" ")}\n`);
    execFileSync("go", args, { cwd: directory, stdio: ["ignore", "inherit", "inherit"], env: { ...process.env, CGO_ENABLED: "0" } });
  };
  return { go };
}
