import { createSocket } from "node:dgram";
import { connect } from "node:net";

export interface Place {
  readonly address: string;
  readonly port: number;
}

/** Sends these octets from a socket of their own: the reply with their id, or undefined when none comes in time. */
export function askUdp({ address, port }: Place, query: Buffer, timeoutMs: number): Promise<Buffer | undefined> {
  const socket = createSocket("udp4");
  const id = query.subarray(0, 2);
  return new Promise((resolve) => {
    const end = (reply?: Buffer): void => {
      clearTimeout(timer);
      socket.close();
      resolve(reply);
    };
    const timer = setTimeout(end, timeoutMs);
    socket.on("error", () => end());
    socket.on("message", (reply) => {
      if (reply.subarray(0, id.length).equals(id)) end(reply);
    });
    // A connected socket: a literal address is then not looked up for every datagram, and a stranger is not heard.
    socket.connect(port, address, () => socket.send(query));
  });
}

/** The same over a connection of their own. */
export function askTcp({ address, port }: Place, query: Buffer, timeoutMs: number): Promise<Buffer | undefined> {
  const socket = connect(port, address);
  return new Promise((resolve) => {
    let held = Buffer.alloc(0);
    const end = (reply?: Buffer): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(reply);
    };
    const timer = setTimeout(end, timeoutMs);
    socket.on("error", () => end());
    socket.on("close", () => end());
    socket.on("connect", () => socket.write(Buffer.concat([Buffer.of(query.length >> 8, query.length & 255), query])));
    socket.on("data", (chunk: Buffer) => {
      held = Buffer.concat([held, chunk]);
      if (held.length >= 2 && held.length >= 2 + held.readUInt16BE(0)) end(held.subarray(2, 2 + held.readUInt16BE(0)));
    });
  });
}
