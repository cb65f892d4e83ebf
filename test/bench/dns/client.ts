import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { decode, encode, type DecodedPacket } from "dns-packet";

/** Where all servers are, each on a port of its own: loopback, and nobody else's. */
export const ADDRESS = "127.53.0.1";
const ANSWER_LIMIT_MS = 1_000;

/** Asks one server, several things at once if need be, as `paced` does: RD, EDNS, 1232 octets. */
export class Client {
  readonly #socket: Socket;
  readonly #port: number;
  readonly #waiting = new Map<number, (answer: DecodedPacket) => void>();
  #id = 0;

  /** `from`: the port to ask from. Rejects when it is taken. */
  static async open(port: number, from = 0): Promise<Client> {
    const socket = createSocket("udp4");
    try {
      socket.bind(from);
      await once(socket, "listening");
    } catch (failure) {
      socket.close();
      throw failure;
    }
    return new Client(socket, port);
  }

  private constructor(socket: Socket, port: number) {
    this.#socket = socket;
    this.#port = port;
    socket.on("error", () => undefined); // nobody listens there yet: no answer in time says the same
    socket.on("message", (bytes) => {
      const answer = decode(bytes);
      this.#waiting.get(answer.id ?? 0)?.(answer);
    });
  }

  /** Undefined when nothing comes in time. */
  async ask(name: string, type: "A" | "TXT" = "A"): Promise<DecodedPacket | undefined> {
    const id = (this.#id = (this.#id + 1) % 65_536);
    const limit = AbortSignal.timeout(ANSWER_LIMIT_MS);
    const answer = await new Promise<DecodedPacket | undefined>((resolve) => {
      this.#waiting.set(id, resolve);
      limit.addEventListener("abort", () => resolve(undefined));
      this.#socket.send(encode(questionOf(id, name, type)), this.#port, ADDRESS);
    });
    this.#waiting.delete(id);
    return answer;
  }

  close(): void {
    this.#socket.close();
  }
}

function questionOf(id: number, name: string, type: "A" | "TXT") {
  const opt = {
    type: "OPT" as const,
    name: ".",
    udpPayloadSize: 1_232,
    extendedRcode: 0,
    ednsVersion: 0,
    flags: 0,
    flag_do: false,
    options: [],
  };
  return { type: "query" as const, id, flags: 0x01_00, questions: [{ type, name }], additionals: [opt] };
}

/** Asks one thing. */
export async function asked(port: number, name: string): Promise<DecodedPacket | undefined> {
  const client = await Client.open(port);
  try {
    return await client.ask(name);
  } finally {
    client.close();
  }
}
