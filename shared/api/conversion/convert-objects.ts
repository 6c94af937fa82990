import { cloneJson } from "../../kubernetes/clone.ts";
import type { VersionConversion } from "../../kubernetes/custom/definitions.ts";
import type { KubernetesObject } from "../../kubernetes/object.ts";
import { UnexplainedError } from "../../kubernetes/status-error.ts";
import { postReview } from "../admission/webhooks/post-review.ts";
import type { ApiCluster } from "../api-cluster.ts";
import { asRecord } from "../field-managers.ts";
import { conversionReview, readConversion } from "./conversion-review.ts";

/** apiserver `util/webhook`: no definition says otherwise. */
const timeoutSeconds = 30;
/** Of objects in one call, so that its answer stays below what a caller takes. An object beyond that goes alone. */
const callBytes = 1024 * 1024;

/**
 * Objects of a custom resource in the version `desired`, in the same order, by as few calls of its webhook as their size allows. An object
 * goes to the webhook as its own version shows it and comes back without what `desired` does not know; defaults of `desired` are the
 * webhook's matter. What is in that version already is not sent, and is the given object itself.
 * @throws UnexplainedError in kube-apiserver's words
 */
export async function convertObjects(
  cluster: ApiCluster,
  conversion: VersionConversion,
  objects: readonly KubernetesObject[],
  desired: string,
): Promise<KubernetesObject[]> {
  const converted = [...objects];
  const target = conversion.kinds.get(desired)?.();
  let call: Sent[] = [];
  let bytes = 0;
  const send = async (): Promise<void> => {
    const sent = call;
    call = [];
    bytes = 0;
    const answered = await askWebhook(cluster, conversion, sent, desired);
    for (const [at, object] of answered.entries()) {
      target?.prune(asRecord(object));
      converted[sent[at]?.index ?? 0] = object;
    }
  };
  for (const [index, object] of objects.entries()) {
    if (object.apiVersion === desired) continue;
    const shown = asOwnVersion(conversion, object);
    const text = JSON.stringify(shown);
    if (call.length > 0 && bytes + text.length > callBytes) await send();
    call.push({ index, object: shown, text });
    bytes += text.length;
  }
  if (call.length > 0) await send();
  return converted;
}

interface Sent {
  readonly index: number;
  readonly object: KubernetesObject;
  readonly text: string;
}

/** A copy, pruned and defaulted by the schema of the version that it is stored in. */
function asOwnVersion({ kinds }: VersionConversion, object: KubernetesObject): KubernetesObject {
  const { apiVersion = "" } = object;
  const kind = kinds.get(apiVersion)?.();
  if (!kind) throw new UnexplainedError(`request to convert CR from an invalid group/version: ${apiVersion}`);
  const copy = cloneJson(object);
  kind.prune(asRecord(copy));
  kind.applyDefaults(asRecord(copy));
  return copy;
}

async function askWebhook(
  cluster: ApiCluster,
  { clientConfig, reviewVersions }: VersionConversion,
  sent: readonly Sent[],
  desired: string,
): Promise<readonly KubernetesObject[]> {
  const [first] = sent;
  const webhook = `conversion webhook for ${first?.object.apiVersion ?? ""}, Kind=${first?.object.kind ?? ""}`;
  const version = reviewVersions.find((each) => each === "v1" || each === "v1beta1");
  if (version === undefined) throw new UnexplainedError("no supported conversion review versions");
  const uid = cluster.uid();
  const review = conversionReview(
    sent.map(({ text }) => text),
    desired,
    uid,
    version,
  );
  const posted = await postReview(cluster, clientConfig, review, timeoutSeconds);
  if (posted.kind !== "answered") throw new UnexplainedError(`${webhook} failed: ${posted.reason}`);
  const originals = sent.map(({ object }) => object);
  const outcome = readConversion(posted.body, originals, desired, uid, version);
  if (outcome.kind === "converted") return outcome.objects;
  if (outcome.kind === "unreadable") throw new UnexplainedError(outcome.reason);
  throw new UnexplainedError(outcome.kind === "failed" ? `${webhook} failed: ${outcome.reason}` : `${webhook} ${outcome.reason}`);
}
