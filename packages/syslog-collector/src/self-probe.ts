import { createSocket, type Socket } from "node:dgram";
import type { Clock, Duration } from "@stitch/clock";
import type { Probe, ProbeResult } from "@stitch/health";
import { endpointPort, type Endpoint } from "@stitch/linux-io";
import type { ProbeWatch } from "./collector.ts";
import type { Arrival } from "./record-line.ts";
import { parseRecord, rawBytes } from "./store/record.ts";

const COUNTER_DIGITS = 8;
/** Messages in one burst of the warm-up; far below any receive buffer. */
const BURST = 20;

/** The socket that probes are sent from, bound to loopback: never to the VIP, which may live at another site too. */
interface Client {
  readonly socket: Socket;
  readonly port: number;
}

/**
 * Proves that a message sent to the VIP arrives, is decoded and becomes a line that could be stored.
 *
 * A probe is a real RFC 5424 message with a token: a secret of this process and a count. The collector knows it by its
 * bytes and by the loopback port it came from, takes it through decoder and line encoder in the real slab, hands the
 * line here instead of committing it, and counts `self-check`. Here the line is parsed again and must give back the
 * message. Ten a second are so checked and none is stored. That the disk takes what is committed, the journal reports.
 * A probe that arrives late is still known by its secret, and not stored either.
 */
export class SelfProbe implements ProbeWatch {
  readonly #clock: Clock;
  readonly #prefix: Buffer;
  readonly #clients = new Map<4 | 6, Client>();
  #targets: readonly Endpoint[] = [];
  #count = 0;
  #turn = 0;
  #expecting: ((result: ProbeResult) => void) | undefined;

  /** `secret` comes from a generator that strangers cannot guess. */
  constructor(clock: Clock, secret: string) {
    this.#clock = clock;
    this.#prefix = Buffer.from(`<46>1 - localhost stitch - SELFCHECK [selfCheck@32473 token="${secret}"] `, "latin1");
  }

  /** Opens what probes of `targets` need. */
  async open(targets: readonly Endpoint[]): Promise<void> {
    this.#targets = targets.map(reachable);
    for (const { address } of this.#targets) {
      const family = address.includes(":") ? 6 : 4;
      if (!this.#clients.has(family)) this.#clients.set(family, await openClient(family));
    }
  }

  /** One probe of one target; the next asks the next. */
  readonly probe: Probe = async (limit) => {
    const target = this.#targets[this.#turn % this.#targets.length];
    this.#turn += 1;
    if (target === undefined) return { kind: "wrong", detail: "no socket to probe" };
    this.#count += 1;
    const answer = this.#answer(limit, target);
    this.#send(target);
    return answer;
  };

  /** Sends probes through every target, for the receive path to become fast; they are recognised and not stored. */
  async warm(messages: number): Promise<void> {
    for (let sent = 0; sent < messages; sent += BURST) {
      for (const target of this.#targets) for (let i = 0; i < BURST; i += 1) this.#send(target);
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
  }

  matches(arrival: Arrival): boolean {
    const { bytes, start, end, peers, peerOffset } = arrival;
    const prefix = this.#prefix;
    if (end - start !== prefix.length + COUNTER_DIGITS) return false;
    for (let i = 0; i < prefix.length; i += 1) if (bytes[start + i] !== prefix[i]) return false;
    const client = this.#clients.get(peers[peerOffset] === 6 ? 6 : 4);
    return client !== undefined && endpointPort(peers, peerOffset) === client.port && isLoopback(peers, peerOffset);
  }

  encoded(line: Uint8Array): void {
    const expecting = this.#expecting;
    if (expecting === undefined) return;
    const record = parseRecord(Buffer.from(line).toString("utf8"));
    if (record === undefined) return expecting({ kind: "wrong", detail: "the stored line cannot be read back" });
    const sent = this.#message();
    const whole = rawBytes(record).equals(sent) && record.msgid === "SELFCHECK" && record.severity === 6;
    if (whole) expecting({ kind: "answered" });
    else if (record.message === sent.subarray(this.#prefix.length).toString("latin1")) {
      expecting({ kind: "wrong", detail: `stored as ${JSON.stringify(record.message)} of ${record.layout}` });
    }
  }

  close(): void {
    for (const { socket } of this.#clients.values()) socket.close();
    this.#clients.clear();
  }

  #answer(limit: Duration, target: Endpoint): Promise<ProbeResult> {
    return new Promise((resolve) => {
      const done = (result: ProbeResult): void => {
        timer.cancel();
        this.#expecting = undefined;
        resolve(result);
      };
      const detail = `a message to ${target.address} port ${target.port} was not collected within ${limit} ms`;
      const timer = this.#clock.after("probe-limit", limit, () => done({ kind: "silent", detail }));
      this.#expecting = done;
    });
  }

  #message(): Buffer {
    return Buffer.concat([
      this.#prefix,
      Buffer.from(String(this.#count).padStart(COUNTER_DIGITS, "0").slice(-COUNTER_DIGITS)),
    ]);
  }

  #send({ address, port }: Endpoint): void {
    const client = this.#clients.get(address.includes(":") ? 6 : 4);
    client?.socket.send(this.#message(), port, address, () => undefined); // a failure shows as silence
  }
}

/** A socket on every address is reached through loopback. */
function reachable({ address, port }: Endpoint): Endpoint {
  if (address === "0.0.0.0") return { address: "127.0.0.1", port };
  return { address: address === "::" ? "::1" : address, port };
}

function openClient(family: 4 | 6): Promise<Client> {
  const socket = createSocket({
    type: family === 4 ? "udp4" : "udp6",
    lookup: (host, _options, done) => done(null, host, family),
  });
  return new Promise((resolve, reject) => {
    socket.once("error", reject);
    socket.bind({ port: 0, address: family === 4 ? "127.0.0.1" : "::1", exclusive: true }, () => {
      socket.off("error", reject);
      socket.on("error", () => undefined); // shows as silence
      resolve({ socket, port: socket.address().port });
    });
  });
}

/** 127.0.0.0/8 or ::1. */
function isLoopback(record: Uint8Array, offset: number): boolean {
  if (record[offset] === 4) return record[offset + 4] === 127;
  for (let i = 4; i < 19; i += 1) if (record[offset + i] !== 0) return false;
  return record[offset + 19] === 1;
}
