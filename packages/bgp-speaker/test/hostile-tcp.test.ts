import { createServer, type Server, type Socket } from "node:net";

import { type Clock, type Duration, type Instant, milliseconds, SystemClock, type Timer } from "@stitch/clock";
import fc from "fast-check";
import { afterEach, describe, expect, test, vi } from "vitest";

import { BgpSession, parsePrefix, type SessionEvent, TcpTransport } from "../src/index.ts";
import { decodeNotification, encodeKeepalive, type Framed, Framer, notificationName } from "../src/wire/index.ts";
import { GOOD_OPEN, mutation, type Offence, OFFENCES } from "./hostile-router.ts";
import { LOCAL, ROUTER } from "./wire-peer.ts";

// A hostile router on real TCP. The same offences and mutations as any router could send, from a socket.

const UNTIL = { timeout: 20_000, interval: 1 };
const VIP = parsePrefix("10.10.10.53/32");
/** Rounds of mutated messages, each on a connection of its own. */
const ROUNDS = 150;

/** Real time, except that nobody waits between attempts, nor long for an OPEN that never comes. */
class HurriedClock implements Clock {
  readonly #inner = new SystemClock();

  now(): Instant {
    return this.#inner.now();
  }

  wallMicros(): number {
    return this.#inner.wallMicros();
  }

  after(name: string, delay: Duration, fire: () => void): Timer {
    const hurried: Readonly<Record<string, number>> = { retry: 1, "open-wait": 100, "close-wait": 50 };
    return this.#inner.after(name, milliseconds(hurried[name] ?? delay), fire);
  }

  every(name: string, interval: Duration, fire: () => void): Timer {
    return this.#inner.every(name, interval, fire);
  }
}

/** Everything the speaker said on one connection. */
interface Visit {
  readonly socket: Socket;
  readonly heard: Framed[];
  closed: boolean;
}

class HostileRouter {
  readonly visits: Visit[] = [];
  readonly events: SessionEvent[] = [];
  readonly server: Server;
  session: BgpSession | undefined;

  constructor() {
    this.server = createServer((socket) => {
      const visit: Visit = { socket, heard: [], closed: false };
      const framer = new Framer();
      socket.on("data", (bytes: Buffer) => {
        for (const framed of framer.push(bytes)) if (framed.ok) visit.heard.push(framed.value);
      });
      socket.on("error", () => {});
      socket.on("close", () => (visit.closed = true));
      this.visits.push(visit);
    });
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => void this.server.listen(0, "127.0.0.1", resolve));
    const address = this.server.address();
    this.session = new BgpSession({
      peer: { address: "127.0.0.1", port: typeof address === "object" ? (address?.port ?? 0) : 0, asn: ROUTER.asn },
      local: LOCAL,
      clock: new HurriedClock(),
      transport: new TcpTransport(),
      random: () => 0.5,
      watchAll: 100,
      onEvent: (event) => {
        this.events.push(event);
        if (this.events.length > 1_000) this.events.splice(0, 500);
      },
    });
    this.session.set(VIP === undefined ? [] : [{ prefix: VIP }]);
    this.session.start();
  }

  /** The newest visit that has not ended, with the speaker's OPEN heard. */
  visit(): Promise<Visit> {
    return vi.waitFor(() => {
      const visit = this.visits.at(-1);
      if (visit === undefined || visit.closed || visit.heard.length === 0) throw new Error("nobody visits");
      return visit;
    }, UNTIL);
  }

  async visitIn(state: Offence["at"]): Promise<Visit> {
    const visit = await this.visit();
    if (state !== "OpenSent") visit.socket.write(GOOD_OPEN);
    if (state === "Established") visit.socket.write(encodeKeepalive());
    await vi.waitFor(() => expect(this.session?.state).toBe(state), UNTIL);
    return visit;
  }

  async close(): Promise<void> {
    await this.session?.stop();
    for (const { socket } of this.visits) socket.destroy();
    await new Promise<void>((resolve) => void this.server.close(() => resolve()));
  }
}

function notificationOf(visit: Visit): string | undefined {
  const framed = visit.heard.findLast((message) => message.type === "notification");
  const read = framed === undefined ? undefined : decodeNotification(framed.body);
  return read?.ok === true ? `${read.value.code}/${read.value.subcode}` : undefined;
}

describe("a hostile router on real TCP", () => {
  let router: HostileRouter;

  afterEach(() => router.close());

  test("each offence is answered with the NOTIFICATION of the RFC, and the session comes back", async () => {
    router = new HostileRouter();
    await router.listen();
    const answers: string[] = [];
    for (const { name, at, bytes } of OFFENCES) {
      const visit = await router.visitIn(at);
      visit.socket.write(bytes);
      await vi.waitFor(() => expect(visit.closed).toBe(true), UNTIL);
      answers.push(`${at}: ${name}: ${notificationOf(visit)}`);
    }
    expect(answers).toEqual(OFFENCES.map(({ name, at, answer }) => `${at}: ${name}: ${answer}`));
    const visit = await router.visitIn("Established");
    await vi.waitFor(() => expect(visit.heard.map(({ type }) => type)).toContain("update"), UNTIL);
  }, 60_000);

  test("mutated messages on many connections: answered by a registered code or taken, never more", async () => {
    router = new HostileRouter();
    await router.listen();
    const states = ["OpenSent", "OpenConfirm", "Established"] as const;
    const rounds = fc.sample(fc.tuple(fc.constantFrom(...states), fc.array(mutation, { minLength: 1, maxLength: 4 })), {
      numRuns: ROUNDS,
    });
    const strange: string[] = [];
    for (const [at, messages] of rounds) {
      const visit = await router.visitIn(at);
      for (const bytes of messages) visit.socket.write(bytes);
      visit.socket.end();
      await vi.waitFor(() => expect(visit.closed).toBe(true), UNTIL);
      const said = notificationOf(visit);
      const name = said === undefined ? "" : notificationName(...(said.split("/").map(Number) as [number, number]));
      if (/Code|Subcode/.test(name)) strange.push(`${at} ${name}`);
      router.visits.splice(0, router.visits.length - 1);
    }
    expect(strange).toEqual([]);
    expect(router.session?.paths.length).toBeLessThanOrEqual(100);
    const visit = await router.visitIn("Established");
    await vi.waitFor(() => expect(router.session?.status.announced).toEqual(["10.10.10.53/32"]), UNTIL);
    expect(visit.closed).toBe(false);
  }, 120_000);

  test("a full table costs no memory that stays", async () => {
    router = new HostileRouter();
    await router.listen();
    const visit = await router.visitIn("Established");
    const before = process.memoryUsage().heapUsed;
    for (let batch = 0; batch < 400; batch++) {
      // 1,000 prefixes of /32 in two messages, none seen before: 400,000 in all.
      if (!visit.socket.write(table(batch))) await new Promise((resolve) => void visit.socket.once("drain", resolve));
    }
    await vi.waitFor(() => expect(router.session?.status.received.messages.update).toBe(800), UNTIL);
    expect(router.session?.paths).toHaveLength(100);
    expect(router.session?.status.ignored["path-limit"]).toBe(399_900);
    expect(router.session?.state).toBe("Established");
    // What the collector has not yet swept is in it; 400,000 kept paths would be hundreds of MiB.
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(150 * 2 ** 20);
  }, 120_000);
});

function table(batch: number): Uint8Array {
  const attributes = Uint8Array.from([0x40, 1, 1, 0, 0x40, 2, 6, 2, 1, 0, 0, 0xfd, 0xe9, 0x40, 3, 4, 10, 1, 0, 1]);
  const messages = [0, 1].map((half) => {
    const nlri = Array.from({ length: 500 }, (_, i) => {
      const n = batch * 1_000 + half * 500 + i;
      return [32, 11, (n >>> 16) & 255, (n >>> 8) & 255, n & 255];
    }).flat();
    const size = 19 + 4 + attributes.length + nlri.length;
    const head = [...Array.from({ length: 16 }, () => 0xff), size >>> 8, size & 255, 2, 0, 0, 0, attributes.length];
    return [...head, ...attributes, ...nlri];
  });
  return Uint8Array.from(messages.flat());
}
