import type { PodPeer } from "../../shared/api/agent/protocol.ts";
import type { Log } from "../../shared/telemetry/log.ts";
import { acceptForwarded, dropsForwarded, outsideCidrs, refuseForwarded } from "./machine.ts";
import { ensureOverlay, type OverlayOptions } from "./overlay.ts";
import { createPeerRoutes } from "./peer-routes.ts";
import { noPeers, type PeerPlan, planPeers } from "./peers.ts";
import type { RunCommand } from "./run-command.ts";

export interface PeerNetworkOptions extends OverlayOptions {
  readonly instance: string;
  readonly directRoutes: boolean;
  readonly run: RunCommand;
  readonly log: Log;
}

/** The way to the pods of the pool's other machines. */
export interface PeerNetwork {
  /** What `apply` would do; undefined peers are not known yet. */
  plan(peers: readonly PodPeer[] | undefined): PeerPlan;
  /** Brings the machine in line with what `peers` ask for, when that changed, or, with `again`, to restore it. Calls must not overlap. */
  apply(peers: readonly PodPeer[] | undefined, again?: boolean): Promise<void>;
  remove(): Promise<void>;
}

export function createPeerNetwork(options: PeerNetworkOptions): PeerNetwork {
  const { podCidr, instance, directRoutes, run, log } = options;
  const routes = createPeerRoutes(options);
  let overlay = true;
  let applied = "";

  const plan = (peers: readonly PodPeer[] | undefined): PeerPlan =>
    peers === undefined ? noPeers : planPeers(peers, { podCidr, networks: outsideCidrs(), directRoutes, overlay });

  const openOverlay = async ({ routes: planned }: PeerPlan): Promise<void> => {
    if (!planned.some(({ kind }) => kind === "overlay")) return;
    try {
      await ensureOverlay(options, run);
    } catch (cause) {
      overlay = false;
      log.warn("no VXLAN on this machine: only machines of the same network segment are reached", { cause: String(cause) });
    }
  };

  return {
    plan,
    async apply(peers, again = false) {
      if (peers === undefined) return;
      const first = plan(peers);
      const text = JSON.stringify(first);
      if (text === applied && !again) return;
      await openOverlay(first);
      const next = plan(peers);
      if (text !== applied) for (const peer of next.unreachable) log.warn("another machine's pods cannot be reached", { ...peer });
      applied = "";
      await routes.apply(next);
      if (await dropsForwarded(run)) await acceptForwarded(podCidr, instance, run);
      applied = JSON.stringify(next);
    },
    async remove() {
      await routes.remove();
      await refuseForwarded(podCidr, instance, run);
    },
  };
}
