import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { REASONS } from "../src/reasons.ts";
import { RCODE } from "../src/wire/registry.ts";
import { Frames } from "../src/wire/frames.ts";
import { A_IN, label, message, mutated, name, opt, pointer, record, u16 } from "./bytes.ts";
import { bench, client, decoded, queryFor, zoneFrom, type Bench } from "./fixtures.ts";
import { storedFor } from "./stored.ts";

// What no client would send, and somebody will. Whatever it is, it gets an answer, an error answer or silence.

const ZONE = zoneFrom(`$ORIGIN bank.test.
$TTL 60
@ SOA ns x 1 1 1 1 30
www A 192.0.2.1
big TXT ${Array.from({ length: 6 }, (_, i) => `"${String(i).repeat(200)}"`).join(" ")}
`);
const RD = 0x0100;
const WWW = name("www.bank.test");
const A_LABEL = label("a".repeat(63));

function outcome(at: Bench, query: Uint8Array): string {
  const reply = at.ask(query);
  const reason = REASONS[at.resolver.reason] ?? "no reason";
  const rcode = Object.entries(RCODE).find(([, number]) => number === ((reply?.[3] ?? 0) & 15))?.[0] ?? "no rcode";
  return `${reply === undefined ? "silence" : rcode} ${reason}`;
}

const FORMERR = "FORMERR malformed";

describe("a query", () => {
  test.each<readonly [string, Uint8Array, string]>([
    ["with a pointer to itself", message(RD, {}, pointer(12), A_IN), FORMERR],
    ["with a pointer forwards", message(RD, {}, pointer(18), A_IN, WWW, A_IN), FORMERR],
    ["with a pointer behind a label", message(RD, {}, label("www"), pointer(12), A_IN), FORMERR],
    ["with a ring of pointers", message(RD, {}, pointer(14), pointer(12), A_IN), FORMERR],
    ["with a pointer into the header", message(RD, {}, label("www"), pointer(4), A_IN), FORMERR],
    ["with a label of 64", message(RD, {}, [64, ...A_LABEL.slice(1), 97, 0], A_IN), FORMERR],
    ["with a label of the reserved kind", message(RD, {}, [0x80, 97, 0], A_IN), FORMERR],
    [
      "with a name of 256",
      message(
        RD,
        {},
        [...A_LABEL, ...A_LABEL, ...A_LABEL, 62],
        Array.from({ length: 62 }, () => 97),
        [0],
        A_IN,
      ),
      FORMERR,
    ],
    ["with a name that does not end", message(RD, {}, label("www")), FORMERR],
    ["without its class", message(RD, {}, WWW, [0, 1]), FORMERR],
    ["with two questions", message(RD, { questions: 2 }, WWW, A_IN, WWW, A_IN), FORMERR],
    ["that says two questions and has one", message(RD, { questions: 2 }, WWW, A_IN), FORMERR],
    ["that has two questions and says one", message(RD, {}, WWW, A_IN, WWW, A_IN), FORMERR],
    [
      "with 65535 of everything and nothing else",
      message(RD, { questions: 65_535, answers: 65_535, authorities: 65_535, additionals: 65_535 }),
      FORMERR,
    ],
    ["with 65535 additionals", message(RD, { additionals: 65_535 }, WWW, A_IN, opt()), FORMERR],
    ["with OPT as an answer", message(RD, { answers: 1 }, WWW, A_IN, opt()), FORMERR],
    ["with OPT as an authority", message(RD, { authorities: 1 }, WWW, A_IN, opt()), FORMERR],
    ["with OPT that has an owner", message(RD, { additionals: 1 }, WWW, A_IN, record(WWW, 41, [], 0, 1_232)), FORMERR],
    [
      "with OPT owned by a pointer to a root",
      message(RD, { additionals: 1 }, WWW, A_IN, record(pointer(11 + WWW.length), 41, [])),
      FORMERR,
    ],
    [
      "with OPT that is longer than the message",
      message(RD, { additionals: 1 }, WWW, A_IN, opt([0, 3, 0, 0], 400)),
      FORMERR,
    ],
    [
      "with OPT that is shorter than its options",
      message(RD, { additionals: 1 }, WWW, A_IN, opt([0, 3, 0, 0], 3)),
      FORMERR,
    ],
    ["with an option that is longer than OPT", message(RD, { additionals: 1 }, WWW, A_IN, opt([0, 3, 0, 9])), FORMERR],
    [
      "with an address as additional",
      message(RD, { additionals: 1 }, WWW, A_IN, record(WWW, 1, [1, 2, 3, 4])),
      FORMERR,
    ],
    ["with OPT that is announced and not there", message(RD, { additionals: 1 }, WWW, A_IN), FORMERR],
    ["with OPT that is there and not announced", message(RD, {}, WWW, A_IN, opt()), FORMERR],
    [
      "of a name of 255",
      message(RD, {}, A_LABEL, A_LABEL, A_LABEL, label("b".repeat(61)), [0], A_IN),
      "REFUSED no-route",
    ],
    ["of the root", message(RD, {}, [0], A_IN), "REFUSED no-route"],
    ["of class 0", message(RD, {}, WWW, [0, 1, 0, 0]), "REFUSED class-refused"],
    ["of class ANY", message(RD, {}, WWW, [0, 1, 0, 255]), "REFUSED class-refused"],
    ["of type 0", message(RD, {}, WWW, [0, 0, 0, 1]), "REFUSED type-refused"],
    ["with nothing but a header", message(RD, { questions: 0 }), FORMERR],
  ])("%s", (_, query, expected) => {
    expect(outcome(bench([ZONE]), query)).toBe(expected);
  });

  // RFC 6891 section 7: so the client sees that EDNS is known here, and what it wrote is not.
  test.each([
    ["shorter than its options", message(RD, { additionals: 1 }, WWW, A_IN, opt([0, 3, 0, 0], 3))],
    ["longer than the message", message(RD, { additionals: 1 }, WWW, A_IN, opt([0, 3, 0, 0], 400))],
    ["written twice", message(RD, { additionals: 2 }, WWW, A_IN, opt(), opt())],
    ["with NSID twice", message(RD, { additionals: 1 }, WWW, A_IN, opt([0, 3, 0, 0, 0, 3, 0, 0]))],
  ])("with OPT %s gets FORMERR with an OPT record that has nothing in it", (_, query) => {
    const reply = bench([ZONE]).ask(query) ?? new Uint8Array();
    expect(decoded(reply)).toMatchObject({ rcode: "FORMERR", additionals: [{ type: "OPT", options: [] }] });
    expect(reply.length).toBeLessThanOrEqual(query.length);
  });

  test("of 0 to 11 octets gets silence", () => {
    const at = bench([ZONE]);
    for (let length = 0; length < 12; length += 1) {
      expect(outcome(at, message(RD, {}, WWW, A_IN).slice(0, length))).toBe("silence too-short");
    }
  });

  // The oracle's decoder makes one name of the two: what is cached for the one must not answer for the other.
  test("with a dot in a label is another than the one without", () => {
    const dotted = message(RD, {}, label("www.bank"), label("test"), [0], A_IN);
    expect(outcome(bench([ZONE]), dotted)).toBe("REFUSED no-route");
    const at = bench([], ["."]);
    storedFor(at, "www.bank.test", 60);
    expect(outcome(at, message(RD, {}, WWW, A_IN))).toBe("NOERROR cached");
    expect(at.ask(dotted)).toBeUndefined();
  });
});

const SEEDS = [
  queryFor("www.bank.test", { edns: { nsid: true } }),
  queryFor("big.bank.test", { type: "TXT", edns: { size: 700 } }),
  queryFor("big.bank.test", { type: "TXT" }),
  queryFor("nope.bank.test", { edns: { dnssecOk: true } }),
  queryFor("www.routed.test", { type: "AAAA" }),
  queryFor("id.server", { type: "TXT", class: "CH" }),
  queryFor("www.bank.test", { type: "ANY", flags: 0x0130 }),
  message(RD, { additionals: 1 }, WWW, A_IN, opt([0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8, 0, 12, 0, 2, 0, 0])),
];
const ANYTHING = fc.oneof(
  { weight: 3, arbitrary: mutated(SEEDS) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 600 }) },
);

interface Decided {
  readonly reason: string;
  readonly reply: string;
}

/** What `at` makes of the query in the midst of `around`, as a batch of datagrams has it. */
function decide(at: Bench, query: Uint8Array, around: number, peer?: Uint8Array): Decided & { readonly size: number } {
  const slab = new Uint8Array(query.length + 96).fill(around);
  slab.set(query, 48);
  const { resolver, out } = at;
  out.fill(around);
  const silent = [0, 2]; // ACTION.silent, ACTION.forward
  const action = resolver.decide(slab, 48, query.length, peer ?? client(127, 0, 0, 1), 0, false, 0, out, 0);
  const size = silent.includes(action) ? 0 : resolver.length;
  return { reason: REASONS[resolver.reason] ?? "", reply: Buffer.from(out.subarray(0, size)).toString("hex"), size };
}

/** What the client can take, by the oracle's decoder; whoever cannot be read takes the least. */
function taken(query: Uint8Array): number {
  try {
    const opts = (decoded(query).additionals ?? []).filter(({ type }) => type === "OPT");
    const sizes = opts.map((each) => ("udpPayloadSize" in each ? each.udpPayloadSize : 512));
    return Math.min(1_232, Math.max(512, ...sizes));
  } catch {
    return 512;
  }
}

describe("whatever octets come", () => {
  test("two instances agree on the reply, and what lies around the datagram does not count", () => {
    const [one, other] = [bench([ZONE], ["routed.test"]), bench([ZONE], ["routed.test"])];
    fc.assert(
      fc.property(ANYTHING, (query) => {
        const [first, second] = [decide(one, query, 0), decide(other, query, 0xc1)];
        expect(second).toEqual(first);
        expect(first.reason).not.toBe("");
      }),
      { numRuns: 10_000 },
    );
  });

  test("the reply is a response with its id, no longer than the client takes, and reads back", () => {
    const at = bench([ZONE], ["routed.test"]);
    fc.assert(
      fc.property(ANYTHING, (query) => {
        const { reply, size } = decide(at, query, 0xff);
        if (size === 0) return;
        const bytes = Buffer.from(reply, "hex");
        expect(size).toBeLessThanOrEqual(taken(query));
        expect([bytes[0], bytes[1], (bytes[2] ?? 0) & 0x80]).toEqual([query[0], query[1], 0x80]);
        expect(() => decoded(bytes)).not.toThrow();
      }),
      { numRuns: 10_000 },
    );
  });

  test("a stranger gets no more than he sent and an extended error, so there is nothing to amplify", () => {
    const at = bench([ZONE], ["routed.test"], { allow: [{ family: "ipv4", address: "10.0.0.0", length: 8 }] });
    const extendedError = 6;
    fc.assert(
      fc.property(ANYTHING, (query) => {
        const { reason, size } = decide(at, query, 0, client(203, 0, 113, 7));
        expect(["client-not-allowed", "too-short", "is-response"]).toContain(reason);
        expect(size).toBeLessThanOrEqual(query.length + extendedError);
      }),
      { numRuns: 10_000 },
    );
  });

  // 12 octets that announce 4 x 65535 records, or names that are walked again and again, must not stall a thread.
  test("none costs more than others: 200,000 in a time that would do for a hundred times as many good ones", () => {
    const at = bench([ZONE], ["routed.test"]);
    const queries = fc.sample(ANYTHING, { numRuns: 2_000, seed: 7 });
    const began = performance.now();
    for (let i = 0; i < 100; i += 1)
      for (const query of queries)
        at.resolver.decide(query, 0, query.length, client(127, 0, 0, 1), 0, false, 0, at.out, 0);
    expect(performance.now() - began).toBeLessThan(20_000);
  });
});

test("a stream gives the messages that were put into it, however it is cut", () => {
  const messages = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 12 });
  fc.assert(
    fc.property(
      messages,
      fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 40 }),
      (all, pieces) => {
        const stream = Uint8Array.from(all.flatMap((each) => [...u16(each.length), ...each]));
        const frames = new Frames();
        const found: Uint8Array[] = [];
        for (let at = 0, i = 0; at < stream.length; i += 1) {
          const end = at + (pieces[i % pieces.length] ?? 1);
          frames.push(stream.slice(at, end));
          for (let next = frames.next(); next !== undefined; next = frames.next()) found.push(Uint8Array.from(next));
          at = end;
        }
        expect(found).toEqual(all);
      },
    ),
    { numRuns: 500 },
  );
});
