import { createSocket, type Socket } from "node:dgram";
import { connect } from "node:net";
import { PORT } from "./names.ts";
import { encodeQuery, type Question, type QueryOptions } from "./wire.ts";

/** One question with a socket of its own: the reply, or undefined when none came in time. */
export async function ask(
  address: string,
  question: Question,
  options: QueryOptions,
  tcp: boolean,
  timeoutMs: number,
): Promise<Buffer | undefined> {
  const query = encodeQuery(question, options);
  return tcp ? askTcp(address, query, timeoutMs) : askUdp(address, query, timeoutMs);
}

function askUdp(address: string, query: Buffer, timeoutMs: number): Promise<Buffer | undefined> {
  const socket: Socket = createSocket("udp4");
  return new Promise((resolve) => {
    const end = (reply?: Buffer): void => {
      clearTimeout(timer);
      socket.close();
      resolve(reply);
    };
    const timer = setTimeout(end, timeoutMs);
    socket.on("error", () => end());
    socket.on("message", (bytes) => {
      if (bytes.length >= 12 && bytes.readUInt16BE(0) === query.readUInt16BE(0)) end(bytes);
    });
    // A connected socket: a literal address is then not looked up for every datagram, and a stranger is not heard.
    socket.connect(PORT, address, () => socket.send(query));
  });
}

function askTcp(address: string, query: Buffer, timeoutMs: number): Promise<Buffer | undefined> {
  const socket = connect(PORT, address);
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
