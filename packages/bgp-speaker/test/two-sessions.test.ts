import { milliseconds, seconds } from "@stitch/clock";
import { FakeClock } from "@stitch/clock/testing";
import { describe, expect, test } from "vitest";

import {
  type Advertisement,
  BgpListener,
  BgpSession,
  extendedCommunity,
  formatPrefix,
  GRACEFUL_SHUTDOWN,
  type SessionEvent,
} from "../src/index.ts";
import { PipeNetwork } from "../src/pipe-transport.ts";
import { prefix } from "./prefix.ts";

const VIP = prefix("10.10.10.53/32");
const NTP = prefix("10.10.10.123/32");

class Pair {
  readonly clock = new FakeClock();
  readonly network = new PipeNetwork(this.clock);
  readonly heard: SessionEvent[] = [];
  readonly told: SessionEvent[] = [];
  readonly listener: BgpListener;
  readonly session: BgpSession;

  constructor(remoteAsn = 65001, toListener: readonly Advertisement[] = []) {
    const common = { clock: this.clock, transport: this.network, random: () => 0.5 };
    this.listener = new BgpListener({
      ...common,
      local: { asn: remoteAsn, routerId: "192.0.2.1" },
      peers: "any",
      watchAll: 1_000,
      onSession: (session) => session.set(toListener),
      onEvent: (event) => this.heard.push(event),
    });
    this.session = new BgpSession({
      ...common,
      local: { asn: 65101, routerId: "192.0.2.2" },
      peer: { address: "127.0.0.2", port: 1790, asn: remoteAsn },
      watch: [VIP],
      onEvent: (event) => this.told.push(event),
    });
  }

  async up(): Promise<void> {
    await this.listener.listen("127.0.0.2", 1790);
    this.session.start();
    this.settle();
    expect(this.session.state).toBe("Established");
  }

  settle(): void {
    this.clock.advance(milliseconds(20));
  }

  get routes(): string[] {
    return this.listener.sessions.flatMap((session) => session.paths.map((path) => formatPrefix(path.prefix)));
  }
}

describe("two of our sessions", () => {
  test("reach Established and stay there for an hour of keepalives", async () => {
    const pair = new Pair();
    await pair.up();
    pair.clock.advance(seconds(3_600));
    expect(pair.session.state).toBe("Established");
    expect(pair.session.status.established).toBe(1);
    expect(pair.session.status.received.messages.keepalive).toBeGreaterThan(1_200);
    expect(pair.session.status.holdTime).toBe(seconds(9));
    expect(pair.session.status.remoteRouterId).toBe("192.0.2.1");
  });

  test("carry an advertisement with every attribute, and its withdrawal", async () => {
    const pair = new Pair();
    const marks = [GRACEFUL_SHUTDOWN, 0x0001_0002, GRACEFUL_SHUTDOWN];
    const target = extendedCommunity("rt", 65101, 7);
    const large = { global: 65101, local1: 1, local2: 7 };
    pair.session.set([
      {
        prefix: VIP,
        med: 7,
        prepend: 3,
        communities: marks,
        largeCommunities: [large, large],
        extendedCommunities: [target, target],
      },
    ]);
    await pair.up();
    expect(pair.listener.sessions[0]?.paths).toEqual([
      {
        prefix: VIP,
        asPath: [65101, 65101, 65101, 65101],
        nextHop: "127.0.0.1",
        med: 7,
        communities: [0x0001_0002, GRACEFUL_SHUTDOWN],
        extendedCommunities: [target],
        largeCommunities: [large],
        origin: "foreign",
      },
    ]);
    pair.session.set([]);
    pair.settle();
    expect(pair.heard.at(-1)).toEqual({ kind: "path", prefix: VIP, path: undefined });
    expect(pair.routes).toEqual([]);
  });

  test("speak iBGP with an empty path and a local preference", async () => {
    const pair = new Pair(65101);
    pair.session.set([{ prefix: VIP, prepend: 2, localPref: 250 }]);
    await pair.up();
    expect(pair.listener.sessions[0]?.paths[0]).toMatchObject({ asPath: [], localPref: 250 });
  });

  test("send only what changed", async () => {
    const pair = new Pair();
    pair.session.set([{ prefix: VIP }, { prefix: NTP }]);
    await pair.up();
    pair.told.length = 0;
    pair.session.set([{ prefix: NTP }, { prefix: VIP, med: 5 }]);
    pair.session.set([{ prefix: NTP }, { prefix: VIP, med: 5 }]);
    pair.settle();
    expect(pair.told).toEqual([{ kind: "update-sent", announced: [VIP], withdrawn: [] }]);
    expect(pair.session.status.announced.toSorted()).toEqual(["10.10.10.123/32", "10.10.10.53/32"]);
  });

  test("report a watched path and no other", async () => {
    const pair = new Pair(65001, [{ prefix: VIP }, { prefix: NTP }]);
    await pair.up();
    const paths = pair.told.filter((event) => event.kind === "path");
    expect(paths.map((event) => [formatPrefix(event.prefix), event.path?.asPath])).toEqual([
      ["10.10.10.53/32", [65001]],
    ]);
  });

  test("stop with a text that the other side shows, routes withdrawn first", async () => {
    const pair = new Pair();
    pair.session.set([{ prefix: VIP }]);
    await pair.up();
    pair.heard.length = 0;
    const stopped = pair.session.stop("CHG-1: maintenance of nyc");
    pair.settle();
    await stopped;
    expect(pair.session.state).toBe("Idle");
    expect(pair.heard.map((event) => event.kind)).toEqual(["path", "notification", "state"]);
    expect(pair.heard[1]).toMatchObject({
      direction: "received",
      name: "Cease/Administrative Shutdown",
      text: "CHG-1: maintenance of nyc",
    });
    expect(pair.listener.sessions).toEqual([]);
  });

  test("replay the whole wish after a reconnect", async () => {
    const pair = new Pair();
    pair.session.set([{ prefix: VIP }]);
    await pair.up();
    await Promise.all([pair.listener.sessions[0]?.stop("restart"), pair.clock.run(milliseconds(20))]);
    expect(pair.session.state).toBe("Idle");
    expect(pair.session.status.reason).toBe("peer-shutdown");
    pair.session.set([{ prefix: VIP }, { prefix: NTP }]);
    pair.clock.advance(seconds(2));
    expect(pair.session.state).toBe("Established");
    expect(pair.routes.toSorted()).toEqual(["10.10.10.123/32", "10.10.10.53/32"]);
  });
});
