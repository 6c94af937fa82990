import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";

/** The two ends of a connection of this machine. */
export async function connectionPair(): Promise<[Socket, Socket]> {
  const server = createServer({ allowHalfOpen: true });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const accepted = once(server, "connection") as Promise<[Socket]>;
  const client = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  const [other] = await accepted;
  server.close();
  for (const socket of [client, other]) socket.on("error", () => socket.destroy());
  return [client, other];
}

/** Everything that comes until the end, as text. */
export async function textOf(source: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of source) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
}
