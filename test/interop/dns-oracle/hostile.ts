/** The hostile server: a process of its own, so that what else the test does cannot stall it. Its argument is the number of the run. */
import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { createServer } from "node:net";
import { behave } from "./behaviours.ts";
import type { Asked, Said } from "./honest.ts";
import { placesOf, PORT } from "./names.ts";

const { hostile } = placesOf(Number(process.argv[2]));
const sockets: Socket[] = [];
/** How often each asker has put each question to each address. */
const counts = new Map<string, number>();

function read(bytes: Buffer, place: 0 | 1, tcp: boolean, before: number): Asked {
  const labels: string[] = [];
  let at = 12;
  for (let length = bytes.readUInt8(at); length > 0; length = bytes.readUInt8(at)) {
    labels.push(bytes.toString("latin1", at + 1, at + 1 + length));
    at += length + 1;
  }
  return {
    id: bytes.readUInt16BE(0),
    name: labels.join(".").toLowerCase(),
    question: bytes.subarray(12, at + 5),
    type: bytes.readUInt16BE(at + 1),
    edns: bytes.readUInt16BE(10) > 0,
    place,
    tcp,
    before,
  };
}

function answerUdp(place: 0 | 1, bytes: Buffer, from: RemoteInfo): void {
  const first = read(bytes, place, false, 0);
  const key = `${from.address} ${place} ${first.name} ${first.type}`;
  const before = counts.get(key) ?? 0;
  counts.set(key, before + 1);
  for (const { bytes: reply, afterMs = 0, elsewhere = false } of behave({ ...first, before })) {
    const socket = sockets[elsewhere ? 1 - place : place];
    const send = (): void => void socket?.send(reply, from.port, from.address);
    if (afterMs > 0) setTimeout(send, afterMs);
    else send();
  }
}

function framed(bytes: Buffer): Buffer {
  return Buffer.concat([Buffer.of(bytes.length >> 8, bytes.length & 255), bytes]);
}

/** Messages of one connection, which may come in pieces, are answered one after the other. */
function answerTcp(place: 0 | 1, said: (all: readonly Said[]) => void): (chunk: Buffer) => void {
  let held = Buffer.alloc(0);
  return (chunk) => {
    held = Buffer.concat([held, chunk]);
    while (held.length >= 2 && held.length >= 2 + held.readUInt16BE(0)) {
      const message = held.subarray(2, 2 + held.readUInt16BE(0));
      held = held.subarray(2 + message.length);
      said(behave(read(message, place, true, 0)));
    }
  };
}

for (const place of [0, 1] as const) {
  const address = hostile[place];
  const socket = createSocket({ type: "udp4", recvBufferSize: 4 * 2 ** 20 });
  socket.on("message", (bytes, from) => answerUdp(place, bytes, from));
  await new Promise<void>((resolve) => void socket.bind(PORT, address, resolve));
  sockets.push(socket);
  const server = createServer((connection) => {
    connection.on("error", () => connection.destroy());
    connection.on(
      "data",
      answerTcp(place, (all) => {
        if (all.length === 0) connection.destroy();
        for (const { bytes, afterMs = 0 } of all) setTimeout(() => connection.write(framed(bytes)), afterMs);
      }),
    );
  });
  await new Promise<void>((resolve) => void server.listen(PORT, address, 512, resolve));
}
