import { RuntimeError } from "../runtime.ts";
import { type CriClient, CriError } from "./cri-client.ts";
import { type CriImage, imageStatusResponse, pullImageResponse } from "./cri-messages.ts";
import { isImageReference } from "./image-reference.ts";

const pullTimeoutMs = 30 * 60_000;

export interface ImageStore {
  /** See `ContainerRuntime.ensureImage`. Pulls of one image that are asked for at the same time are one pull. */
  ensure(image: string, pullPolicy: "Always" | "IfNotPresent" | "Never"): Promise<{ imageId: string; pulled: boolean }>;
  /** What is known of an image that is there; undefined when it is not. */
  find(image: string): Promise<CriImage | undefined>;
}

/** The images of a container runtime, with the pull policies and words of the kubelet (`pkg/kubelet/images/image_manager.go`). */
export function createImageStore(cri: CriClient): ImageStore {
  const pulls = new Map<string, Promise<string>>();

  const find = async (image: string): Promise<CriImage | undefined> => {
    const { image: found } = await cri.call("ImageService", "ImageStatus", { image: { image } }, imageStatusResponse);
    return found ?? undefined;
  };

  const pull = (image: string): Promise<string> => {
    const running = pulls.get(image);
    if (running !== undefined) return running;
    const started = cri
      .call("ImageService", "PullImage", { image: { image } }, pullImageResponse, { timeoutMs: pullTimeoutMs })
      .then(
        ({ image_ref }) => image_ref,
        (error: unknown) => {
          throw new RuntimeError("ErrImagePull", error instanceof CriError ? error.message : `failed to pull image "${image}"`, error);
        },
      )
      .finally(() => pulls.delete(image));
    pulls.set(image, started);
    return started;
  };

  return {
    find,
    async ensure(image, pullPolicy) {
      if (!isImageReference(image)) {
        throw new RuntimeError(
          "InvalidImageName",
          `Failed to apply default image tag "${image}": couldn't parse image name "${image}": invalid reference format`,
        );
      }
      if (pullPolicy !== "Always") {
        const present = await find(image);
        if (present !== undefined) return { imageId: present.id, pulled: false };
        if (pullPolicy === "Never") {
          throw new RuntimeError("ErrImageNeverPull", `Container image "${image}" is not present with pull policy of Never`);
        }
      }
      const reference = await pull(image);
      return { imageId: (await find(image))?.id ?? reference, pulled: true };
    },
  };
}
