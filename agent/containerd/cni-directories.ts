import { z } from "zod";
import { CriError, createCriClient } from "./cri-client.ts";
import { defaultEndpoint } from "./endpoint.ts";

export interface CniDirectories {
  readonly confDir: string;
  readonly binDir: string;
}

const verboseStatus = z.object({ info: z.record(z.string(), z.string()) });
const runtimeConfig = z.object({ cni: z.object({ confDir: z.string().min(1), binDir: z.string().min(1) }) });
const timeoutMs = 2_000;

/**
 * Where a containerd reads its network configuration, as it says itself (`crictl info` shows the same); undefined when it does not say. A
 * containerd of its own, besides the machine's, has directories of its own.
 */
export async function readCniDirectories(endpoint: string = defaultEndpoint): Promise<CniDirectories | undefined> {
  const cri = createCriClient(endpoint);
  try {
    const { info } = await cri.call("RuntimeService", "Status", { verbose: true }, verboseStatus, { timeoutMs });
    return runtimeConfig.safeParse(JSON.parse(info.config ?? "{}")).data?.cni;
  } catch (error) {
    if (error instanceof CriError || error instanceof SyntaxError) return undefined;
    throw error;
  } finally {
    cri.close();
  }
}
