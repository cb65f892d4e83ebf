import { createServer, type Server, type Socket } from "node:net";
import { once } from "node:events";

import { seconds, SystemClock } from "@stitch/clock";
import fc from "fast-check";
import { afterEach, describe, expect, test, vi } from "vitest";

import { BgpSession, type Prefix, type SessionEvent, TcpTransport } from "../src/index.ts";
import { encodeKeepalive, Framer } from "../src/wire/index.ts";
import { allowedCodes, type Attack, attack, GOOD_OPEN, piecesOf } from "./attack.ts";
import { Bench, LOCAL, ROUTER } from "./wire-peer.ts";

// A router that means harm: a valid session, then mutated OPEN, UPDATE, NOTIFICATION, ROUTE-REFRESH and framing. The
// speaker answers by the RFCs, keeps nothing that it was not asked to keep, and has its routes at the next good router.

const VIP: Prefix = { family: "ipv4", address: "10.10.10.53", length: 32 };
const UNTIL = { timeout: 15_000, interval: 2 };
/** Connections over real TCP; each takes some milliseconds. */
const ROUNDS = 120;

function sent(events: readonly SessionEvent[]): readonly number[] {
  return events.flatMap((event) => (event.kind === "notification" && event.direction === "sent" ? [event.code] : []));
}

describe("in memory", () => {
  test("every attack is answered by the book, costs no memory, and a good router gets the routes after it", () => {
    const drawn = new Set<number>();
    fc.assert(
      fc.property(attack, (one) => {
        const bench = attacked(one);
        expect(bench.session.paths.length).toBeLessThanOrEqual(1);
        // A message that never ends is ended by a timer, and a refusal is waited out.
        bench.advance(seconds(75));
        const [first, ...later] = sent(bench.of("notification"));
        expect(first === undefined || allowedCodes(one).includes(first)).toBe(true);
        expect(later.filter((code) => ![...allowedCodes(one), ...allowedCodes(LATER)].includes(code))).toEqual([]);
        if (first !== undefined) drawn.add(first);
        settleDown(bench);
        expect(bench.session.status.announced).toEqual(["10.10.10.53/32"]);
      }),
      { numRuns: 1_500 },
    );
    expect([...drawn].toSorted()).toEqual(expect.arrayContaining([1, 2, 3, 5]));
  });
});

/** Attempts after the attack meet a router that says nothing. */
const LATER: Attack = { where: "open", messages: [], piece: 1, closes: false };

/** A session that was attacked where the attack says. */
function attacked({ where, messages, piece, closes }: Attack): Bench {
  const bench = new Bench({}, { watch: [VIP], families: ["ipv4", "ipv6"] });
  bench.session.set([{ prefix: VIP }]);
  bench.toOpenSent();
  if (where === "established") {
    bench.router.say(GOOD_OPEN);
    bench.router.sayKeepalive();
    bench.settle();
    if (bench.session.state !== "Established") throw new Error(`the session is ${bench.session.state}`);
  }
  for (const bytes of piecesOf(messages, piece)) bench.router.say(bytes);
  if (closes) bench.router.close();
  bench.settle();
  return bench;
}

/** The router comes to its senses: from now on it answers every attempt as it should. */
function settleDown(bench: Bench): void {
  for (let i = 0; i < 200 && bench.session.state !== "Established"; i += 1) {
    bench.advance(seconds(1));
    if (bench.session.state !== "OpenSent") continue;
    bench.router.say(GOOD_OPEN);
    bench.router.sayKeepalive();
    bench.settle();
  }
  expect(bench.session.state).toBe("Established");
}

describe("over TCP", () => {
  let server: Server | undefined;
  afterEach(() => void server?.close());

  test(`${ROUNDS} attacks are answered by the book, and a good router gets the routes after them`, async () => {
    let next: Attack | undefined;
    const sockets = new Set<Socket>();
    server = createServer((socket) => {
      sockets.add(socket);
      play(socket, next);
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as { port: number };
    for (const one of fc.sample(attack, { numRuns: ROUNDS, seed: 20_260_214 })) {
      next = one;
      const events: SessionEvent[] = [];
      const session = started(port, events);
      await vi.waitFor(() => expect(overOrUp(events, session)).toBe(true), UNTIL);
      const codes = sent(events);
      await session.stop();
      expect(codes.filter((code) => !allowedCodes(one).includes(code))).toEqual([]);
      for (const socket of sockets) socket.destroy();
      sockets.clear();
    }
    next = undefined;
    const session = started(port, []);
    await vi.waitFor(() => expect(session.status.announced).toEqual(["10.10.10.53/32"]), UNTIL);
    await session.stop();
    for (const socket of sockets) socket.destroy();
  }, 120_000);
});

function started(port: number, events: SessionEvent[]): BgpSession {
  const session = new BgpSession({
    peer: { address: "127.0.0.1", port, asn: ROUTER.asn },
    local: LOCAL,
    families: ["ipv4", "ipv6"],
    clock: new SystemClock(),
    transport: new TcpTransport(),
    random: () => 0,
    watch: [VIP],
    onEvent: (event) => events.push(event),
  });
  session.set([{ prefix: VIP, nextHop: "127.0.0.1" }]);
  session.start();
  return session;
}

/** The attack has ended the session, or is over and has not: then its KEEPALIVE at the end has been heard. */
function overOrUp(events: readonly SessionEvent[], session: BgpSession): boolean {
  const ended = events.some((event) => event.kind === "state" && event.from !== "Idle" && event.to === "Idle");
  const failed = events.some((event) => event.kind === "state" && event.to === "Active");
  return ended || failed || session.status.received.messages.keepalive >= 2 || quiet(session);
}

/** A message that claims to be longer than what was sent: the speaker waits for the rest of it, as it must. */
function quiet(session: BgpSession): boolean {
  return session.status.received.bytes > 0 && session.state === "OpenSent";
}

/** Says what the attack says where it says it, and the rest as a good router does. */
function play(socket: Socket, one: Attack | undefined): void {
  const framer = new Framer();
  const attackNow = (): void => {
    if (one === undefined) return;
    for (const piece of piecesOf(one.messages, Math.max(one.piece, 64))) socket.write(piece);
    if (one.closes) socket.end();
    else socket.write(encodeKeepalive());
  };
  socket.on("error", () => {});
  // Whoever is still waiting after a second for the rest of a message waits for nothing.
  socket.setTimeout(1_000, () => socket.end());
  socket.on("data", (bytes: Buffer) => {
    for (const framed of framer.push(bytes)) {
      if (!framed.ok) return;
      if (framed.value.type === "open") {
        if (one?.where === "open") attackNow();
        else socket.write(GOOD_OPEN);
        socket.write(encodeKeepalive());
      }
      if (framed.value.type === "keepalive" && one?.where === "established") attackNow();
    }
  });
}
