import type { ClusterTokens } from "../api/cluster-tokens.ts";
import type { ClusterAuthority } from "../auth/certificate-signing.ts";
import type { RbacAuthorizer } from "../auth/rbac.ts";
import { createAdmissionPolicyStatusController } from "./admission-policy-status.ts";
import { type ApiServerAddress, createApiServerEndpointsController } from "./api-server-endpoints.ts";
import { createBootstrapSigner } from "./bootstrap-signer.ts";
import { createBootstrapTokenCleaner } from "./bootstrap-token-cleaner.ts";
import { createCertificateApprovingController } from "./certificate-approving.ts";
import { createCertificateCleaner } from "./certificate-cleaner.ts";
import { createCertificateSigningController } from "./certificate-signing-controller.ts";
import { createClusterRoleAggregationController } from "./cluster-role-aggregation.ts";
import type { Controller } from "./controller.ts";
import { createCronJobController } from "./cron-job.ts";
import { createCustomResourceDefinitionController } from "./custom-resource-definition.ts";
import { createDaemonSetController } from "./daemon-set.ts";
import { createDeploymentController } from "./deployment.ts";
import { createEndpointSliceController } from "./endpoint-slice.ts";
import { createEndpointSliceMirroringController } from "./endpoint-slice-mirroring.ts";
import { createEndpointsController } from "./endpoints.ts";
import type { EventRecorder } from "./event-recorder.ts";
import { createEventTtlController } from "./event-ttl.ts";
import { createGarbageCollector } from "./garbage-collector.ts";
import { createJobController } from "./job.ts";
import { createNamespaceController } from "./namespace.ts";
import { createNodeLifecycleController, type NodeHeartbeats } from "./node-lifecycle.ts";
import { createPodDisruptionController } from "./pod-disruption.ts";
import { createPodGarbageController } from "./pod-gc.ts";
import { createReplicaSetController } from "./replica-set.ts";
import { createReplicationControllerController } from "./replication-controller.ts";
import { createResourceQuotaController } from "./resource-quota.ts";
import { createRootCaController } from "./root-ca.ts";
import { createServiceAccountController } from "./service-account.ts";
import { createStatefulSetController } from "./stateful-set.ts";
import { createTaintEvictionController } from "./taint-eviction.ts";
import { createTokenSecretController } from "./token-secret.ts";
import { createTtlAfterFinishedController } from "./ttl-after-finished.ts";
import { createClaimProtectionController, createVolumeProtectionController } from "./volume-protection.ts";

export interface ControllersOptions {
  /** The event recorder of a component, e.g. `(component) => createEventRecorder({ client, clock, component })`. */
  readonly recorderOf: (component: string) => Pick<EventRecorder, "event">;
  readonly heartbeats: NodeHeartbeats;
  /** See `NodeLifecycleOptions`. */
  readonly onSilence?: (nodeName: string, lastSeenMs: number) => Promise<void>;
  /** See `NodeLifecycleOptions`. */
  readonly silenceIsTold?: boolean;
  /** Since when heartbeats are heard, in milliseconds since 1970: see `NodeLifecycleOptions`. */
  readonly listeningSinceMs?: number;
  /** How long a node may be silent. Default: 40 s, `--node-monitor-grace-period`. */
  readonly nodeGraceMs?: number;
  /** The authority by which pods know the API server, as PEM. Absent: `kube-root-ca.crt` is not kept. */
  readonly caPem?: string;
  /** Absent, or without `caPem`: Secrets are not filled with tokens. */
  readonly tokens?: Pick<ClusterTokens, "issueKept">;
  /** Who may have certificates, and who makes them. Absent: requests for certificates wait for somebody else. */
  readonly certificates?: { readonly authorizer: Pick<RbacAuthorizer, "authorize">; readonly authority: ClusterAuthority };
  /** Where the service `kubernetes` leads. Absent: its Endpoints are not kept. */
  readonly apiServerAddress?: ApiServerAddress;
}

/** One of each, for one cluster: some remember what they saw, so clusters do not share them. The scheduler is not among them. */
export function createControllers(options: ControllersOptions): Controller[] {
  const { recorderOf, heartbeats, onSilence, silenceIsTold, listeningSinceMs, nodeGraceMs, caPem, tokens, certificates, apiServerAddress } =
    options;
  const events = (component: string) => ({ events: recorderOf(component) });
  return [
    createNamespaceController(),
    createCustomResourceDefinitionController(),
    createServiceAccountController(),
    createClusterRoleAggregationController(),
    createReplicationControllerController(events("replication-controller")),
    createReplicaSetController(events("replicaset-controller")),
    createDeploymentController(events("deployment-controller")),
    createStatefulSetController(events("statefulset-controller")),
    createDaemonSetController(events("daemonset-controller")),
    createJobController(events("job-controller")),
    createCronJobController(events("cronjob-controller")),
    createTtlAfterFinishedController(),
    createEndpointsController(events("endpoint-controller")),
    createEndpointSliceController(events("endpoint-slice-controller")),
    createEndpointSliceMirroringController(events("endpoint-slice-mirroring-controller")),
    createNodeLifecycleController({
      heartbeats,
      ...events("node-controller"),
      ...(onSilence && { onSilence }),
      ...(silenceIsTold !== undefined && { silenceIsTold }),
      ...(listeningSinceMs !== undefined && { listeningSinceMs }),
      ...(nodeGraceMs !== undefined && { graceMs: nodeGraceMs }),
    }),
    createTaintEvictionController(events("taint-eviction-controller")),
    createPodGarbageController(),
    createPodDisruptionController(events("controllermanager")),
    createResourceQuotaController(),
    createAdmissionPolicyStatusController(),
    createClaimProtectionController(),
    createVolumeProtectionController(),
    createGarbageCollector(),
    createEventTtlController(),
    createCertificateCleaner(),
    createBootstrapTokenCleaner(),
    createBootstrapSigner(),
    ...(certificates !== undefined
      ? [createCertificateApprovingController(certificates.authorizer), createCertificateSigningController(certificates.authority)]
      : []),
    ...(caPem !== undefined ? [createRootCaController({ caPem })] : []),
    ...(caPem !== undefined && tokens !== undefined ? [createTokenSecretController({ caPem, tokens })] : []),
    ...(apiServerAddress !== undefined ? [createApiServerEndpointsController(apiServerAddress)] : []),
  ];
}

const concurrencies: Readonly<Record<string, number>> = { namespace: 10, "garbage-collector": 20, "event-ttl": 1 };

/** How many keys of a controller to work on at once, where kube-controller-manager's default is not 5. For `createControllerLoop`. */
export function concurrencyOf(controllerName: string): number {
  return concurrencies[controllerName] ?? 5;
}
