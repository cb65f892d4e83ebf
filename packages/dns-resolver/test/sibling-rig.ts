import { randomBytes } from "node:crypto";
import { connect, createServer, type Socket } from "node:net";
import { FakeClock } from "@stitch/clock/testing";
import { boundedServer, listenOn } from "@stitch/health";
import { Giver, type Gather } from "../src/sibling/giver.ts";
import { askProof, newNonce, PROOF_HEADER } from "../src/sibling/proof.ts";
import { whenDone } from "./rig.ts";

export const SECRET = randomBytes(32);

export interface Giving {
  readonly giver: Giver;
  readonly clock: FakeClock;
  readonly port: number;
}

/** A site that gives what `gather` says, if it is ready. */
export async function giving(gather?: Gather): Promise<Giving> {
  const clock = new FakeClock();
  const giver = new Giver(SECRET, clock);
  if (gather !== undefined) giver.open(gather);
  const app = boundedServer({ body: 1_024, connections: 16 });
  giver.paths(app);
  const port = await listenOn(app, { address: "127.0.0.1", port: 0 });
  whenDone({ close: () => app.close() });
  return { giver, clock, port };
}

export interface AskOptions {
  readonly nonce?: string;
  readonly proof?: string;
  readonly init?: RequestInit;
}

/** Asks as a sibling does. */
export function askGiver(port: number, options: AskOptions = {}): Promise<Response> {
  const { nonce = newNonce(), proof = askProof(SECRET, nonce), init = {} } = options;
  return fetch(`http://127.0.0.1:${port}/cache?nonce=${nonce}`, { ...init, headers: { [PROOF_HEADER]: proof } });
}

/** The same, by somebody who does with the connection what he likes. */
export function rawAsk(port: number): Socket {
  const nonce = newNonce();
  const socket = connect(port, "127.0.0.1");
  const head = `GET /cache?nonce=${nonce} HTTP/1.1\r\nhost: x\r\n${PROOF_HEADER}: ${askProof(SECRET, nonce)}\r\n\r\n`;
  socket.on("error", () => {}).write(head);
  whenDone({ close: async () => void socket.destroy() });
  return socket;
}

export type Script = (socket: Socket, nonce: string) => void;

/** A server that does what `script` says when a whole head has come; it knows its nonce. */
export async function scripted(script: Script): Promise<number> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    let head = "";
    socket.on("error", () => {});
    socket.on("data", (chunk) => {
      head += chunk.toString("latin1");
      if (head.includes("\r\n\r\n")) script(socket, /nonce=([0-9a-f]+)/.exec(head)?.[1] ?? "");
    });
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  whenDone({
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => void server.close(resolve));
    },
  });
  const bound = server.address();
  return bound !== null && typeof bound === "object" ? bound.port : 0;
}
