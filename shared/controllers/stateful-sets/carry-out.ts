import { deepEqual } from "../../kubernetes/deep-equal.ts";
import { persistentVolumeClaims, pods } from "../../kubernetes/known-resources.ts";
import { isStatus } from "../../kubernetes/status-error.ts";
import type { PersistentVolumeClaim, Pod } from "../../kubernetes/types.ts";
import { objectOf } from "../../store/view.ts";
import type { ControllerContext } from "../controller.ts";
import type { EventRecorder } from "../event-recorder.ts";
import { messageOf } from "../failures.ts";
import { type Failure, slowStart } from "../replicas/slow-start.ts";
import { claimsOf, hasForeignController, isOwnedAsWanted, type Membership, ownersWanted } from "./claims.ts";
import { identified, ordinalOf } from "./identity.ts";
import { isParallel, type SetState, type Step } from "./plan.ts";

/** Carries phases out: a set in order step by step, a parallel one as fast as its steps succeed. Answers what failed first and ended it. */
export async function carryOut(
  phases: readonly Step[][],
  state: SetState,
  context: ControllerContext,
  events: Pick<EventRecorder, "event">,
): Promise<Failure | undefined> {
  const run = createSteps(state, context, events);
  const inOrder = phases.flat().map((step) => [step]);
  for (const phase of isParallel(state.set) ? phases : inOrder) {
    const { failure } = await slowStart(phase.length, async (index) => {
      const step = phase[index];
      if (step) await run[step.kind](step.pod);
    });
    if (failure) return failure;
  }
  return undefined;
}

type Steps = { readonly [kind in Step["kind"]]: (pod: Pod) => Promise<void> };

function createSteps(state: SetState, { client }: ControllerContext, events: Pick<EventRecorder, "event">): Steps {
  const { set, kind, find } = state;
  const { namespace = "", name: setName = "" } = set.metadata;
  const membershipOf = (pod: Pod): Membership => ({ kind, set, pod });

  const tell = (verb: "create" | "update" | "delete", { metadata }: Pod, failure?: Failure): void => {
    const reason = `${failure ? "Failed" : "Successful"}${verb.charAt(0).toUpperCase()}${verb.slice(1)}`;
    const outcome = failure ? `failed error: ${messageOf(failure.cause)}` : "successful";
    const message = `${verb} Pod ${metadata.name} in StatefulSet ${setName} ${outcome}`;
    events.event(set, failure ? "Warning" : "Normal", reason, message);
  };
  const told = async (verb: "create" | "update" | "delete", pod: Pod, act: () => Promise<unknown>): Promise<void> => {
    try {
      await act();
    } catch (cause) {
      // A pod of that name is there which is not ours, or is about to end: the set asks again until it is gone.
      if (!(verb === "create" && isStatus(cause, "AlreadyExists"))) tell(verb, pod, { cause });
      throw cause;
    }
    tell(verb, pod);
  };

  const createClaim = async (pod: Pod, claim: PersistentVolumeClaim): Promise<void> => {
    const { name } = claim.metadata;
    try {
      await client.create(persistentVolumeClaims, claim);
      const message = `create Claim ${name} Pod ${pod.metadata.name} in StatefulSet ${setName} success`;
      events.event(set, "Normal", "SuccessfulCreate", message);
    } catch (error) {
      const failure = messageOf(error);
      const message = `create Claim ${name} for Pod ${pod.metadata.name} in StatefulSet ${setName} failed error: ${failure}`;
      if (!isStatus(error, "AlreadyExists")) events.event(set, "Warning", "FailedCreate", message);
      throw new Error(`failed to create PVC ${name}: ${failure}`, { cause: error });
    }
  };
  /** All claims are tried; those that cannot be had are one error (`createPersistentVolumeClaims`). */
  const createMissing = async (pod: Pod): Promise<void> => {
    const problems: unknown[] = [];
    for (const claim of claimsOf(set, pod)) {
      const { name = "" } = claim.metadata;
      const existing = find(name);
      if (!existing) await createClaim(pod, claim).catch((error: unknown) => problems.push(error));
      else if (existing.metadata.deletionTimestamp !== undefined) problems.push(new Error(`pvc ${name} is being deleted`));
    }
    if (problems.length === 1) throw problems[0];
    if (problems.length > 1) throw new AggregateError(problems, `[${problems.map(messageOf).join(", ")}]`);
  };
  const ownClaims = async (pod: Pod): Promise<void> => {
    const membership = membershipOf(pod);
    for (const { metadata } of claimsOf(set, pod)) {
      const { name = "" } = metadata;
      const claim = find(name);
      if (!claim) continue;
      if (hasForeignController(membership, claim)) {
        const message = `PersistentVolumeClaim ${name} has a conflicting OwnerReference that acts as a manging controller, the retention policy is ignored for this claim`;
        events.event(set, "Warning", "ConflictingController", message);
      }
      if (isOwnedAsWanted(membership, claim)) continue;
      const { uid, resourceVersion } = claim.metadata;
      const ownerReferences = ownersWanted(membership, claim);
      const body = { metadata: { uid, resourceVersion, ownerReferences: ownerReferences.length > 0 ? ownerReferences : null } };
      await client.patch(persistentVolumeClaims, namespace, name, { type: "merge", body });
    }
  };
  const makeClaims = async (pod: Pod): Promise<void> => {
    await createMissing(pod);
    await ownClaims(pod);
  };

  return {
    ownClaims,
    makeClaims,
    create: (pod) =>
      told("create", pod, async () => {
        await createMissing(pod);
        await ownClaims(objectOf<Pod>(await client.create(pods, pod)));
      }),
    identify: (pod) =>
      told("update", pod, async () => {
        await makeClaims(pod);
        const next = identified(set, pod, ordinalOf(pod));
        if (!deepEqual(next, pod)) await client.update(pods, next);
      }),
    async delete(pod) {
      const { name = "", uid = "" } = pod.metadata;
      await told("delete", pod, () => client.delete(pods, namespace, name, { uid }));
    },
  };
}
