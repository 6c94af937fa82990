import type { NodeTable } from "./node-table.ts";
import { maximumScore } from "./resource-fit.ts";

const megabyte = 1024 * 1024;
const leastBytes = 23 * megabyte;
const mostBytesPerContainer = 1000 * megabyte;

/** ImageLocality for one list of images: how much of them a node has already, less for images that are rare among the nodes. */
export class ImageFit {
  readonly #nodes: NodeTable;
  readonly #images: readonly string[];
  #version = 0;
  /** By slot; undefined: no node has any of the images. */
  #scores: Uint8Array | undefined;

  /** One image for each container, init containers included. */
  constructor(nodes: NodeTable, images: readonly string[]) {
    this.#nodes = nodes;
    this.#images = images.map(withTag);
  }

  /** Scores by slot, 0–100; undefined: all 0. */
  scores(): Uint8Array | undefined {
    if (this.#version !== this.#nodes.imagesVersion) {
      this.#version = this.#nodes.imagesVersion;
      this.#scores = this.#count();
    }
    return this.#scores;
  }

  #count(): Uint8Array | undefined {
    const nodes = this.#nodes;
    const having = this.#images.map((image) => {
      const sizes: [slot: number, bytes: number][] = [];
      for (const slot of nodes.order()) {
        const bytes = nodes.facts(slot)?.images.get(image);
        if (bytes !== undefined) sizes.push([slot, bytes]);
      }
      return sizes;
    });
    if (having.every((sizes) => sizes.length === 0)) return undefined;
    const sums = new Float64Array(nodes.capacity);
    for (const sizes of having) {
      const spread = sizes.length / nodes.count;
      for (const [slot, bytes] of sizes) sums[slot] = (sums[slot] ?? 0) + Math.trunc(bytes * spread);
    }
    const mostBytes = mostBytesPerContainer * this.#images.length;
    return Uint8Array.from(sums, (sum) => {
      const bytes = Math.min(Math.max(sum, leastBytes), mostBytes);
      return Math.floor((maximumScore * (bytes - leastBytes)) / (mostBytes - leastBytes));
    });
  }
}

function withTag(image: string): string {
  return image.lastIndexOf(":") <= image.lastIndexOf("/") ? `${image}:latest` : image;
}
