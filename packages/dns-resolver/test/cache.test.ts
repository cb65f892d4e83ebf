import fc from "fast-check";
import { describe, expect, test } from "vitest";
import dnsPacket from "dns-packet";
import { Cache } from "../src/cache.ts";
import { packImage, type Slab } from "../src/cache/image.ts";
import { digest } from "../src/upstream/digest.ts";
import { relevantAnswers } from "../src/upstream/relevant.ts";
import { decodeMessage } from "../src/wire/message.ts";
import { isBelow, parseName } from "../src/wire/name.ts";
import { respond } from "./fake-upstream.ts";
import { bench, dataOf, decoded, queryFor, ttlsOf, view, type Bench, type QueryOptions } from "./fixtures.ts";

const LIMITS = { maxTtl: 3_600, negativeTtl: 300 };

function response(query: Uint8Array, fields: Partial<dnsPacket.Packet>): Buffer {
  const { id, questions = [] } = decoded(query);
  return dnsPacket.encode({
    type: "response",
    id: id ?? 0,
    flags: dnsPacket.RECURSION_AVAILABLE,
    questions,
    ...fields,
  });
}

function imageOf(bytes: Uint8Array, tag = 0, dnssecOk = false): { image: Slab; ttl: number } {
  const message = decodeMessage(Uint8Array.from(bytes));
  if (!message.ok) throw new Error(message.error.kind);
  const found = digest(message.value, dnssecOk, LIMITS, () => true);
  if (found.kind !== "answer") throw new Error(found.kind);
  return { image: packImage(found.parts, tag), ttl: found.ttl };
}

function stored(at: Bench, name: string, fields: Partial<dnsPacket.Packet>, options: QueryOptions = {}): number {
  const query = queryFor(name, options);
  expect(at.ask(query)).toBeUndefined();
  const { image, ttl } = imageOf(response(query, fields), at.resolver.tag, options.edns?.dnssecOk);
  if (ttl > 0) at.cache.store(image, view(query), at.resolver.tag, 0, ttl);
  return ttl;
}

const A = (name: string, ttl = 100, data = "192.0.2.1"): dnsPacket.Answer => ({ type: "A", name, ttl, data });
const SOA = (ttl: number, minimum: number): dnsPacket.Answer => ({
  type: "SOA",
  name: "example",
  ttl,
  data: { mname: "ns.example", rname: "root.example", serial: 1, refresh: 2, retry: 3, expire: 4, minimum },
});

/** An authority record that takes much room. */
function long(i: number): dnsPacket.Answer {
  return { type: "NS", name: "example", ttl: 60, data: `${"n".repeat(60)}${i}.example` };
}

/** A record that proves that a name is not there. */
function proof(i: number): dnsPacket.Answer {
  const rrtypes = ["A" as const];
  return {
    type: "NSEC",
    name: `n${i}.example`,
    ttl: 60,
    data: { nextDomain: `${"n".repeat(60)}${i}.x`, rrtypes },
  } as never;
}

describe("the cache", () => {
  test("ages TTLs, restores the client's case and id, and forgets in time", () => {
    const at = bench([], ["."]);
    stored(at, "www.example", { answers: [A("www.example")] });
    const reply = at.ask(queryFor("wWw.ExamplE", { id: 7 }), { tick: 305 });
    expect(reply && ttlsOf(reply)).toEqual([70]);
    expect(reply && decoded(reply)).toMatchObject({ id: 7, flag_aa: false, flag_rd: true });
    expect(Buffer.from(reply ?? []).toString("latin1")).toContain("\x03wWw\x07ExamplE");
    expect(at.ask(queryFor("www.example"), { tick: 1_000 })).toBeUndefined();
  });

  test("keeps DO, CD and types apart", () => {
    const at = bench([], ["."]);
    stored(at, "www.example", { answers: [A("www.example")] });
    expect(at.ask(queryFor("www.example", { edns: {} }))).toBeDefined();
    expect(at.ask(queryFor("www.example", { edns: { dnssecOk: true } }))).toBeUndefined();
    expect(at.ask(queryFor("www.example", { flags: 0x110 }))).toBeUndefined();
    expect(at.ask(queryFor("www.example", { type: "AAAA" }))).toBeUndefined();
  });

  test("keeps routes apart", () => {
    const at = bench([], [".", "example"]);
    stored(at, "www.example", { answers: [A("www.example")] });
    const reply = at.ask(queryFor("www.example"));
    expect(reply && dataOf(reply)).toEqual(["192.0.2.1"]);
    expect(at.ask(queryFor("www.example.org"))).toBeUndefined();
  });

  test("caps TTLs in what it serves, not only in what it keeps", () => {
    const at = bench([], ["."]);
    expect(stored(at, "www.example", { answers: [A("www.example", 1_000_000)] })).toBe(3_600);
    const reply = at.ask(queryFor("www.example"));
    expect(reply && ttlsOf(reply)).toEqual([3_600]);
  });

  test("keeps a no as long as the SOA says, capped, and one without SOA not at all", () => {
    const at = bench([], ["."]);
    const nx = dnsPacket.RECURSION_AVAILABLE | 3;
    expect(stored(at, "a.example", { flags: nx, authorities: [SOA(900, 60)] })).toBe(60);
    expect(stored(at, "b.example", { flags: nx, authorities: [SOA(900, 9_000)] })).toBe(300);
    expect(stored(at, "c.example", { flags: nx })).toBe(0);
    expect(stored(at, "d.example", { authorities: [SOA(50, 60)] })).toBe(50);
    const reply = at.ask(queryFor("a.example"), { tick: 100 });
    expect(reply && decoded(reply)).toMatchObject({ rcode: "NXDOMAIN", authorities: [{ ttl: 50 }] });
  });

  test("keeps a no at the end of an alias no longer than the alias lives", () => {
    const at = bench([], ["."]);
    const answers: dnsPacket.Answer[] = [{ type: "CNAME", name: "www.example", ttl: 20, data: "gone.example" }];
    const flags = dnsPacket.RECURSION_AVAILABLE | 3;
    expect(stored(at, "www.example", { flags, answers, authorities: [SOA(900, 60)] })).toBe(20);
  });

  test("does not keep TTL 0", () => {
    const at = bench([], ["."]);
    expect(stored(at, "www.example", { answers: [A("www.example", 0)] })).toBe(0);
  });

  test("cuts no proof silently: a validator needs it, and a no needs its SOA", () => {
    const at = bench([], ["."]);
    const proofs = Array.from({ length: 6 }, (_, i) => proof(i));
    const query = queryFor("www.example", { edns: { dnssecOk: true, size: 1_232 } });
    stored(at, "www.example", { answers: [A("www.example")], authorities: proofs }, { edns: { dnssecOk: true } });
    const large = at.ask(query);
    expect(large && decoded(large).authorities?.length).toBe(6);
    const small = at.ask(queryFor("www.example", { edns: { dnssecOk: true, size: 512 } }));
    expect(small && decoded(small)).toMatchObject({ flag_tc: true, answers: [], authorities: [] });
    const alias: dnsPacket.Answer = { type: "CNAME", name: "a.example", ttl: 60, data: `${"x".repeat(60)}.example` };
    const edns = { dnssecOk: true, size: 512 };
    stored(at, "a.example", { answers: [alias], authorities: [SOA(60, 60), ...proofs] }, { edns });
    const cut = at.ask(queryFor("a.example", { edns }));
    expect(cut && decoded(cut)).toMatchObject({ flag_tc: true, answers: [] });
  });

  test("keeps the authorities of a yes only where they prove something", () => {
    const at = bench([], ["."]);
    const fields = { answers: [A("www.example")], authorities: [long(1)] };
    const options = { edns: { dnssecOk: true } };
    stored(at, "www.example", fields, options);
    const reply = at.ask(queryFor("www.example", options));
    expect(reply && decoded(reply)).toMatchObject({ answers: [{ type: "A" }], authorities: [] });
  });

  test("stays within its bytes under a flood of names, and what is used survives it", () => {
    const size = 2 ** 20;
    const cache = new Cache({ size, staleSeconds: 0, seed: 99 });
    const put = (name: string): void => {
      const query = queryFor(name);
      const { image, ttl } = imageOf(response(query, { answers: [A(name)] }));
      cache.store(image, view(query), 0, 0, ttl);
    };
    const hot = Array.from({ length: 50 }, (_, i) => `hot${i}.example`);
    for (const name of hot) put(name);
    const isThere = (name: string): boolean => cache.find(view(queryFor(name)), 0, 1) >= 0;
    expect(hot.every(isThere)).toBe(true);
    for (let i = 0; i < 30_000; i += 1) {
      put(`random${i}.example`);
      expect(cache.usedBytes).toBeLessThanOrEqual(size);
    }
    expect(cache.counters.evicted).toBeGreaterThan(10_000);
    expect(hot.filter(isThere).length).toBe(50);
    expect(isThere("random0.example")).toBe(false);
  });

  test("finds what was stored last for a question, or nothing: never something else", () => {
    let found = 0;
    const names = fc.array(fc.tuple(fc.nat(400), fc.nat(250)), { minLength: 1, maxLength: 400, size: "max" });
    fc.assert(
      fc.property(names, (operations) => {
        const at = bench([], ["."]);
        const last = new Map<string, string>();
        for (const [n, octet] of operations) {
          const name = `n${n}.example`;
          const query = queryFor(name);
          const data = `192.0.2.${octet}`;
          const { image, ttl } = imageOf(response(query, { answers: [A(name, 100, data)] }));
          at.cache.store(image, view(query), 0, 0, ttl);
          last.set(name, data);
        }
        for (const [name, data] of last) {
          const reply = at.ask(queryFor(name));
          found += reply === undefined ? 0 : 1;
          expect(reply === undefined ? [data] : dataOf(reply)).toEqual([data]);
        }
      }),
      { numRuns: 20 },
    );
    expect(found).toBeGreaterThan(500);
  });
});

const LABEL = fc.stringMatching(/^[a-z0-9-]{1,20}$/);
const NAME = fc.array(LABEL, { minLength: 1, maxLength: 5 }).map((labels) => labels.join("."));
test("records that do not lead from the question to its answer are not passed on", () => {
  const at = bench([], ["."]);
  const alias: dnsPacket.Answer = { type: "CNAME", name: "WWW.example", ttl: 50, data: "real.example" };
  const signature = { type: "NULL", name: "www.example", ttl: 5, data: Buffer.of(1) } as const;
  stored(at, "www.example", {
    answers: [A("bank.example", 1), alias, A("bank.example", 7, "203.0.113.1"), A("real.example", 90), signature],
    authorities: [long(1)],
    additionals: [A("bank.example")],
  });
  const reply = at.ask(queryFor("www.example"), { tick: 100 });
  const { answers, authorities, additionals } = decoded(reply ?? new Uint8Array());
  expect(answers).toMatchObject([
    { name: "www.example", type: "CNAME", ttl: 40, data: "real.example" },
    { name: "real.example", type: "A", ttl: 80, data: "192.0.2.1" },
  ]);
  expect([authorities, additionals]).toEqual([[], []]);
  expect(decodeMessage(reply ?? new Uint8Array()).ok).toBe(true);
});

test("a DNAME above a name of the chain is passed on, one beside it is not", () => {
  const at = bench([], ["."]);
  const answers: dnsPacket.Answer[] = [
    { type: "DNAME", name: "old.example", ttl: 60, data: "new.example" },
    { type: "CNAME", name: "www.old.example", ttl: 60, data: "www.new.example" },
    A("www.new.example"),
    { type: "DNAME", name: "bank.example", ttl: 60, data: "evil.example" },
  ];
  stored(at, "www.old.example", { answers });
  const reply = at.ask(queryFor("www.old.example"));
  expect(reply && decoded(reply).answers?.map(({ name }) => name)).toEqual([
    "old.example",
    "www.old.example",
    "www.new.example",
  ]);
});

function isOfCorp(name: Uint8Array): boolean {
  return isBelow(name, parseName("corp.example") ?? Uint8Array.of(0));
}

test("a DNAME above the names that its upstream is asked for is not passed on", () => {
  const message = decodeMessage(
    respond(Buffer.from(queryFor("www.corp.example")), {
      answers: [A("www.corp.example"), { type: "DNAME", name: "example", ttl: 60, data: "evil.test" }],
    }),
  );
  if (!message.ok) throw new Error("no message");
  expect(relevantAnswers(message.value, isOfCorp).answers.map(({ type }) => type)).toEqual([1]);
});

test("any well-formed answer comes out of the cache as the oracle wrote it, seven seconds older", () => {
  fc.assert(
    fc.property(NAME, fc.array(LABEL, { maxLength: 12 }), (name, others) => {
      const at = bench([], ["."]);
      // Beside the question's own only records of the same name and type: what belongs to another name is not passed on.
      const answers = [A(name, 1_000), ...others.map((data, i) => A(name, 500 + i, `192.0.2.${data.length}`))];
      stored(at, name, { answers });
      const reply = at.ask(queryFor(name), { tick: 70, tcp: true });
      const ttl = Math.min(1_000, ...answers.map((record) => ("ttl" in record ? (record.ttl ?? 0) : 0)));
      const aged = answers.map((record) => ({
        ...record,
        class: "IN",
        flush: false,
        ttl: ("ttl" in record ? (record.ttl ?? 0) : 0) - 7,
      }));
      expect(reply === undefined ? [] : decoded(reply).answers).toEqual(ttl > 7 ? aged : []);
    }),
    { numRuns: 300 },
  );
});

describe("a response", () => {
  test("of any shape is decoded or refused, without a throw", () => {
    const seed = response(queryFor("www.example"), { answers: [A("www.example")], authorities: [SOA(1, 2)] });
    const edits = fc.array(fc.tuple(fc.nat(seed.length - 1), fc.nat(255)), { maxLength: 8 });
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 400 }), edits), (input) => {
        const bytes = input instanceof Uint8Array ? input : Uint8Array.from(seed);
        if (!(input instanceof Uint8Array)) for (const [at, value] of input) bytes[at] = value;
        const message = decodeMessage(bytes);
        const kind = message.ok ? digest(message.value, true, LIMITS, () => true).kind : "malformed";
        expect(["answer", "useless", "malformed"]).toContain(kind);
      }),
      { numRuns: 5_000 },
    );
  });

  test("with a lying RDLENGTH, trailing bytes or 65535 records is refused", () => {
    const good = Uint8Array.from(response(queryFor("a"), { answers: [A("a")] }));
    expect(decodeMessage(good).ok).toBe(true);
    expect(decodeMessage(Uint8Array.from([...good, 0])).ok).toBe(false);
    expect(decodeMessage(good.with(good.length - 5, 3)).ok).toBe(false);
    expect(decodeMessage(good.with(6, 255)).ok).toBe(false);
  });

  test("with a name that lies in the header, which is ours to write, is refused", () => {
    const good = Uint8Array.from(response(queryFor("a"), { answers: [A("a")] }));
    const owner = 12 + 3 + 4;
    const pointed = Uint8Array.from([...good.slice(0, owner), 0xc0, 4, ...good.slice(owner + 3)]);
    expect(decodeMessage(pointed.with(owner + 1, 12)).ok).toBe(true);
    expect(decodeMessage(pointed).ok).toBe(false);
  });

  // Every name is a pointer to a long one, in a record that is not passed on: written out they are more than lengths can say.
  test("that would grow beyond what a message may be when its names are written out is no answer", () => {
    const question = Buffer.concat([Buffer.from("\x03www\x07example\0", "latin1"), Buffer.of(0, 15, 0, 1)]);
    const owner = Buffer.from(`${"\x3c".padEnd(61, "x").repeat(4)}\0`, "latin1");
    const other = Buffer.concat([owner, Buffer.from("0001000100000e100004c0000201", "hex")]);
    const exchange = Buffer.concat([
      Buffer.from("c00c000f000100000e1000040001c0", "hex"),
      Buffer.of(12 + question.length),
    ]);
    const answersOf = (count: number): string => {
      const head = Buffer.from("000080000001000000000000", "hex");
      head.writeUInt16BE(1 + count, 6);
      const message = decodeMessage(
        Buffer.concat([head, question, other, ...Array.from({ length: count }, () => exchange)]),
      );
      return message.ok ? digest(message.value, false, LIMITS, () => true).kind : message.error.kind;
    };
    expect([answersOf(200), answersOf(300)]).toEqual(["answer", "useless"]);
  });

  test("that is SERVFAIL, REFUSED or a referral is no answer", () => {
    const query = queryFor("www.example");
    const why = (fields: Partial<dnsPacket.Packet>): string => {
      const message = decodeMessage(Uint8Array.from(response(query, fields)));
      const found = message.ok ? digest(message.value, false, LIMITS, () => true) : undefined;
      return found?.kind === "useless" ? found.why : "answer";
    };
    expect(why({ flags: 2 })).toBe("answered SERVFAIL");
    expect(why({ flags: 5 })).toBe("answered REFUSED");
    expect(why({ authorities: [{ type: "NS", name: "example", ttl: 1, data: "ns.example" }] })).toContain("referral");
    expect(why({ answers: [A("www.example")] })).toBe("answer");
  });
});
