import { stringify } from "yaml";
import type { Container, Pod, PodSpec } from "../../shared/kubernetes/types.ts";

/** Programs are the machine's own: the image is a name and nothing more. */
export const image = "registry.k8s.io/pause:3.10";

export const yamlOf = (...objects: readonly object[]): string => objects.map((object) => stringify(object)).join("---\n");

export interface DeploymentOptions {
  readonly name: string;
  readonly replicas: number;
  readonly command?: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
  readonly spec?: object;
  readonly pod?: Partial<PodSpec>;
}

export function deployment({ name, replicas, command, labels = { app: name }, spec, pod }: DeploymentOptions): object {
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name, labels },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { ...pod, containers: [{ name: "main", image, ...(command && { command }) }] } },
      ...spec,
    },
  };
}

/** A pod of one container that runs a shell script (a `$` of its own is written `$$`, as in any command); further fields of the container and the pod lie over it. */
export function shellPod(name: string, script: string, container: Partial<Container> = {}, spec: Partial<PodSpec> = {}): Pod {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, labels: { app: name } },
    spec: {
      terminationGracePeriodSeconds: 2,
      containers: [{ name: "main", image, command: ["sh", "-c", script], ...container }],
      ...spec,
    },
  };
}
