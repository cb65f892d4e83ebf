import { ENDPOINT_BYTES, writeEndpoint } from "@stitch/linux-io";
import { describe, expect, test } from "vitest";
import { ClientBudget } from "../src/client-budget.ts";
import { Cookies } from "../src/cookies.ts";
import { REASONS } from "../src/reasons.ts";
import { SipHash } from "../src/wire/siphash.ts";
import { bench, cookieOf, decoded, queryFor, withCookie } from "./fixtures.ts";

const hex = (text: string): Buffer => Buffer.from(text, "hex");

function record(address: string): Uint8Array {
  const bytes = new Uint8Array(ENDPOINT_BYTES);
  expect(writeEndpoint({ address, port: 53 }, bytes, 0)).toBe(true);
  return bytes;
}

function made(secret: string, client: string, address: string, now: number): string {
  const out = Buffer.alloc(24);
  new Cookies([hex(secret)]).write(hex(client), 0, false, record(address), 0, now, out, 0);
  return out.toString("hex");
}

function valid(secrets: readonly string[], cookie: string, address: string, now: number): boolean {
  const bytes = hex(cookie);
  return new Cookies(secrets.map(hex)).isValid(bytes, 0, bytes.length, record(address), 0, now);
}

const SECRET = "e5e973e5a6b2a43f48e7dc849e37bfcf";
const CLIENT = "2464c4abcf10c957";
const FIRST = `${CLIENT}010000005cf79f111f8130c3eee29480`;
const MADE = 1_559_731_985;

// Aumasson, Bernstein, appendix A: key 00..0f, input 00..0e.
test("SipHash-2-4 is what its authors say", () => {
  const key = Uint8Array.from({ length: 16 }, (_, i) => i);
  const input = Uint8Array.from({ length: 15 }, (_, i) => i);
  const out = Buffer.alloc(8);
  new SipHash(key).hash(input, 15, out, 0);
  expect(out.readBigUInt64LE().toString(16)).toBe("a129ca6149be45e5");
});

describe("cookies", () => {
  // RFC 9018 appendix A.1
  test("a client without one gets one", () => {
    expect(made(SECRET, CLIENT, "198.51.100.100", MADE)).toBe(FIRST);
  });

  // RFC 9018 appendix A.2
  test("one that is older than half an hour is renewed, a younger one is given back", () => {
    const renewed = Buffer.alloc(24);
    const cookies = new Cookies([hex(SECRET)]);
    cookies.write(hex(FIRST), 0, true, record("198.51.100.100"), 0, 1_559_734_385, renewed, 0);
    expect(renewed.toString("hex")).toBe(`${CLIENT}010000005cf7a871d4a564a1442aca77`);
    cookies.write(hex(FIRST), 0, true, record("198.51.100.100"), 0, MADE + 1_800, renewed, 0);
    expect(renewed.toString("hex")).toBe(FIRST);
  });

  // RFC 9018 appendix A.3: what stands in the reserved octets is hashed as it is
  test("one of another implementation is recognised", () => {
    const cookie = "fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5";
    expect(valid(["e5e973e5a6b2a43f48e7dc849e37bfcf"], cookie, "203.0.113.203", 1_559_728_000)).toBe(true);
  });

  // RFC 9018 appendix A.4
  test("IPv6, and a secret that is being replaced", () => {
    const [before, after] = ["dd3bdf9344b678b185a6f5cb60fca715", "445536bcd2513298075a5d379663c962"];
    const cookie = "22681ab97d52c298010000005cf7c57926556bd0934c72f8";
    const address = "2001:db8:220:1:59de:d0f4:8769:82b8";
    expect(valid([before], cookie, address, 1_559_741_961)).toBe(true);
    expect(valid([after, before], cookie, address, 1_559_741_961)).toBe(true);
    expect(valid([after], cookie, address, 1_559_741_961)).toBe(false);
  });

  test.each<[string, string, string, number]>([
    ["of another address", FIRST, "198.51.100.101", MADE],
    ["older than an hour", FIRST, "198.51.100.100", MADE + 3_601],
    ["of the future", FIRST, "198.51.100.100", MADE - 301],
    ["of another version", FIRST.replace("0100", "0200"), "198.51.100.100", MADE],
    ["with one bit changed", FIRST.replace(/0$/, "1"), "198.51.100.100", MADE],
    ["that is cut", FIRST.slice(0, -2), "198.51.100.100", MADE],
    ["that is too long", `${FIRST}00`, "198.51.100.100", MADE],
  ])("one %s is none", (_what, cookie, address, now) => {
    expect(valid([SECRET], FIRST, "198.51.100.100", MADE)).toBe(true);
    expect(valid([SECRET], cookie, address, now)).toBe(false);
  });
});

/** The cookie and no question. */
function alone(data: Buffer): Buffer {
  const whole = Buffer.from(withCookie(data));
  const questionEnd = whole.length - 11 - 4 - data.length;
  whole.writeUInt16BE(0, 4);
  return Buffer.concat([whole.subarray(0, 12), whole.subarray(questionEnd)]);
}

describe("the resolver", () => {
  const PEER = record("10.1.2.3");
  const allow = [{ family: "ipv4", address: "0.0.0.0", length: 0 }] as const;

  test("gives a client a cookie, and recognises it", () => {
    const budget = new ClientBudget({ perSecond: 2, slip: 0, exempt: [], seed: 1 });
    const { ask } = bench([], [], { allow, budget, cookies: new Cookies([hex(SECRET)]) });
    for (let i = 0; i < 16; i += 1) ask(queryFor("localhost"), { peer: PEER });
    const cookie = cookieOf(ask(withCookie(hex(CLIENT)), { peer: PEER }));
    expect(cookie?.length).toBe(24);
    expect(cookie?.subarray(0, 8)).toEqual(hex(CLIENT));
    for (let i = 0; i < 10; i += 1) {
      expect(cookieOf(ask(withCookie(cookie ?? hex("")), { peer: PEER }))).toEqual(cookie);
    }
    const forged = Buffer.from(cookie ?? hex(""));
    forged[23] = (forged[23] ?? 0) ^ 1;
    const answered = Array.from({ length: 10 }, () => ask(withCookie(forged), { peer: PEER })).filter(Boolean);
    expect(answered.length).toBeLessThanOrEqual(3); // as many as the budget allows
  });

  // RFC 7873 section 5.4.
  test("gives a cookie to who asks for nothing else, and FORMERR when it has none to give", () => {
    const { ask, resolver } = bench([], [], { allow, cookies: new Cookies([hex(SECRET)]) });
    const reply = ask(alone(hex(CLIENT)), { peer: PEER }) ?? Buffer.alloc(12);
    expect([decoded(reply).rcode, reply[5], REASONS[resolver.reason]]).toEqual(["NOERROR", 0, "cookie-given"]);
    const cookie = cookieOf(reply) ?? hex("");
    expect(cookieOf(ask(alone(cookie), { peer: PEER }))).toEqual(cookie);
    expect(decoded(ask(alone(hex("a1")), { peer: PEER }) ?? Buffer.alloc(12)).rcode).toBe("FORMERR");
    const without = bench([], [], { allow });
    expect(decoded(without.ask(alone(hex(CLIENT)), { peer: PEER }) ?? Buffer.alloc(12)).rcode).toBe("FORMERR");
  });

  test("gives no byte from behind the datagram to a cookie that ends after it", () => {
    const budget = new ClientBudget({ perSecond: 10, slip: 1, exempt: [], seed: 1 });
    const { resolver } = bench([], [], { allow, budget, cookies: new Cookies([hex(SECRET)]) });
    const behind = hex("a1a2a3a4a5a6a7a8");
    const whole = withCookie(behind);
    const size = whole.length - behind.length;
    const cut = Buffer.from(whole);
    cut.writeUInt16BE(4, size - 6); // RDLENGTH: the option's code and length, and no data
    const replies = Array.from({ length: 40 }, () => {
      const out = new Uint8Array(1_232);
      resolver.decide(cut, 0, size, PEER, 0, false, 0, out, 0);
      return [REASONS[resolver.reason], Buffer.from(out.subarray(0, resolver.length)).includes(behind)];
    });
    expect(replies).toContainEqual(["malformed", false]);
    expect(replies.at(-1)).toEqual(["rate-slipped", false]);
    expect(replies.filter(([, leaked]) => leaked === true)).toEqual([]);
  });

  test("says nothing of cookies without a secret, and FORMERR to one that cannot be one", () => {
    const silent = bench([], [], { allow });
    expect(cookieOf(silent.ask(withCookie(hex(CLIENT)), { peer: PEER }))).toBeUndefined();
    const { ask } = bench([], [], { allow, cookies: new Cookies([hex(SECRET)]) });
    for (const length of [0, 7, 9, 15, 41]) {
      const reply = ask(withCookie(Buffer.alloc(length)), { peer: PEER });
      expect(decoded(reply ?? new Uint8Array()).rcode).toBe("FORMERR");
    }
  });
});
