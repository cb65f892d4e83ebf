import { seconds, SystemClock } from "@stitch/clock";
import { describe, expect, test } from "vitest";

import {
  BgpSession,
  type Dialer,
  PLAIN_DIALER,
  type PeerOptions,
  SOCKET_OPTIONS,
  TcpTransport,
  type Transport,
  UnsettableOptionError,
} from "../src/index.ts";
import { Bench, LOCAL } from "./wire-peer.ts";

function session(peer: Partial<PeerOptions>, transport: Transport): BgpSession {
  return new BgpSession({
    peer: { address: "127.0.0.2", asn: 65001, ...peer },
    local: LOCAL,
    clock: new SystemClock(),
    transport,
    random: () => 0,
    onEvent: () => {},
  });
}

function target(peer: Partial<PeerOptions>): unknown {
  const bench = new Bench(peer);
  bench.session.start();
  return bench.network.target;
}

describe("what a connection is asked for", () => {
  const plain = { address: "127.0.0.2", port: 179, trafficClass: 192, userTimeout: seconds(9) };

  test.each([
    ["CS6 and the hold time as user timeout", {}, {}],
    ["a TCP-MD5 password", { password: "secret" }, { md5Password: "secret" }],
    ["GTSM for a peer on the same link", { ttlSecurity: 1 }, { hopLimit: 255, leastHopLimit: 255 }],
    ["GTSM for a peer three hops away", { ttlSecurity: 3 }, { hopLimit: 255, leastHopLimit: 253 }],
    ["a TTL for a peer several hops away", { ttl: 5 }, { hopLimit: 5 }],
    ["an address to connect from", { localAddress: "127.0.0.9" }, { localAddress: "127.0.0.9" }],
    ["a longer hold time", { holdTime: seconds(90) }, { userTimeout: seconds(90) }],
  ])("%s", (_name, peer, more) => {
    expect(target(peer)).toEqual({ ...plain, ...more });
  });

  test.each([
    [{ ttl: 0 }, "ttl 0"],
    [{ ttl: 256 }, "ttl 256"],
    [{ ttlSecurity: 0 }, "ttlSecurity 0"],
    [{ ttl: 5, ttlSecurity: 1 }, "cannot be 5"],
    [{ password: "" }, "octets of the password 0"],
    [{ password: "é".repeat(41) }, "octets of the password 82"],
    [{ password: "secret", passive: true }, "sessions that connect"],
  ])("%o is a RangeError", (peer, words) => {
    expect(() => new Bench(peer)).toThrow(words);
    expect(() => new Bench(peer)).toThrow(RangeError);
  });

  test("no error shows the password", () => {
    const words = "x".repeat(81);
    expect(() => new Bench({ password: words })).toThrow(expect.not.stringContaining(words) as Error);
  });
});

describe("a transport that cannot set an option", () => {
  test.each([
    [{ password: "secret" }, ["md5Password"], "a TCP-MD5 password;"],
    [{ ttlSecurity: 1 }, ["hopLimit", "leastHopLimit"], "the TTL of what is sent and GTSM"],
    [{ ttl: 5 }, ["hopLimit"], "the TTL of what is sent;"],
  ])("%o is refused at once, by name", (peer, options, words) => {
    const make = (): BgpSession => session(peer, new TcpTransport());
    expect(make).toThrow(UnsettableOptionError);
    expect(make).toThrow(words);
    expect(make).toThrow(expect.objectContaining({ options }) as Error);
    expect(make).toThrow(expect.not.stringContaining("secret") as Error);
  });

  test("a dialer that can set them is given them, and what is only wished for is left out elsewhere", async () => {
    const asked: unknown[] = [];
    const dialer: Dialer = {
      sets: SOCKET_OPTIONS,
      dial: (wanted) => {
        asked.push(wanted);
        return Promise.reject(new Error("not today"));
      },
    };
    const able = session({ password: "secret", ttlSecurity: 1 }, new TcpTransport(dialer));
    able.start();
    await Promise.resolve();
    expect(asked).toEqual([expect.objectContaining({ md5Password: "secret", hopLimit: 255, trafficClass: 192 })]);
    await able.stop();
    const unable = session({}, new TcpTransport({ ...dialer, sets: PLAIN_DIALER.sets }));
    unable.start();
    expect(asked[1]).toEqual({ address: "127.0.0.2", port: 179 });
    await unable.stop();
  });
});
