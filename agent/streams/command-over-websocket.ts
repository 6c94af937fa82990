import type { IncomingMessage } from "node:http";
import { finished } from "node:stream/promises";
import type { ContainerStreams } from "../runtime.ts";
import type { CommandOptions, RunCommand, UpgradeRequest } from "./command-request.ts";
import { statusOfOutcome, textOfOutcome } from "./command-status.ts";
import { createTerminalSizes } from "./terminal-sizes.ts";
import { acceptWebSocket, channelsOf } from "./websocket.ts";

/** Version 5 ends a channel by a message of its own (KEP-4006). */
const protocols = ["v5.channel.k8s.io", "v4.channel.k8s.io", "v4.base64.channel.k8s.io", "channel.k8s.io", "base64.channel.k8s.io"];
const channels = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4 } as const;
const withStatus = /^v[45]\./;

/** Serves `exec` or `attach` over a WebSocket: each of the container's streams is a channel. */
export async function serveCommandOverWebSocket(
  request: UpgradeRequest,
  message: IncomingMessage,
  { stdin, stdout, stderr, tty }: CommandOptions,
  run: RunCommand,
): Promise<void> {
  const socket = await acceptWebSocket(request, message, protocols);
  const client = channelsOf(socket, [channels.stdin, channels.resize]);
  // Tells the client that it is there: an empty message on the first channel that it reads.
  client.send(stdout ? channels.stdout : stderr ? channels.stderr : channels.error, Buffer.alloc(0));
  const sizes = createTerminalSizes();
  client.input(channels.resize).on("data", (chunk: Buffer) => sizes.received(chunk));
  const input = client.input(channels.stdin);
  if (!stdin) input.resume();
  const io: ContainerStreams = {
    stdin: stdin ? input : undefined,
    stdout: stdout ? client.output(channels.stdout) : undefined,
    stderr: stderr ? client.output(channels.stderr) : undefined,
    ...{ tty, onResize: sizes.onResize, gone: client.gone },
  };
  const outcome = await run(io);
  const outputs = [io.stdout, io.stderr].filter((stream) => stream !== undefined);
  for (const stream of outputs) stream.end();
  await Promise.allSettled(outputs.map((stream) => finished(stream)));
  const last = withStatus.test(client.protocol) ? JSON.stringify(statusOfOutcome(outcome)) : textOfOutcome(outcome);
  if (last !== "") client.send(channels.error, Buffer.from(last));
  client.close();
}
