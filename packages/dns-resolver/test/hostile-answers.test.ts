import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { packImage } from "../src/cache/image.ts";
import { digest } from "../src/upstream/digest.ts";
import { matchAnswer, readAnswer } from "../src/upstream/exchange.ts";
import { decodeMessage } from "../src/wire/message.ts";
import { A_IN, label, message, mutated, name, opt, pointer, record, u32 } from "./bytes.ts";
import { respond } from "./fake-upstream.ts";
import { bench, dataOf, queryFor, view, type Bench } from "./fixtures.ts";
import { rig, upstream } from "./rig.ts";

// What no upstream should send, and a broken or a hostile one will.

const QR = 0x8180;
const WWW = name("www.bank.test");
const QUESTION = [...WWW, ...A_IN];
const END = 12 + QUESTION.length;
const TO_QUESTION = pointer(12);
const A_LABEL = label("a".repeat(63));
const SOA_DATA = [...name("ns.bank.test"), ...name("root.bank.test"), ...[1, 2, 3, 4, 5].flatMap((n) => [...u32(n)])];
const one = (...parts: (readonly number[])[]): Uint8Array => message(QR, { answers: 1 }, QUESTION, ...parts);

/** Read as an answer they are refused, each for this. */
const UNREADABLE: readonly (readonly [string, Uint8Array, string])[] = [
  ["with 65535 answers and none there", message(QR, { answers: 65_535 }, QUESTION), "counts"],
  [
    "with 65535 of everything",
    message(QR, { answers: 65_535, authorities: 65_535, additionals: 65_535 }, QUESTION),
    "counts",
  ],
  [
    "with 501 records",
    message(QR, { answers: 501 }, QUESTION, ...Array.from({ length: 501 }, () => record(TO_QUESTION, 1, [1, 2, 3, 4]))),
    "counts",
  ],
  [
    "with fewer records than it says",
    message(QR, { answers: 2 }, QUESTION, record(TO_QUESTION, 1, [1, 2, 3, 4])),
    "name",
  ],
  [
    "with more records than it says",
    message(QR, { answers: 1 }, QUESTION, record(TO_QUESTION, 1, [1, 2, 3, 4]), record(TO_QUESTION, 1, [1, 2, 3, 4])),
    "trailing",
  ],
  ["with an octet left over", one(record(TO_QUESTION, 1, [1, 2, 3, 4]), [0]), "trailing"],
  ["with an owner that points to itself", one(record(pointer(END), 1, [1, 2, 3, 4])), "name"],
  ["with an owner that points forwards", one(record(pointer(END + 2), 1, [1, 2, 3, 4])), "name"],
  ["with an owner that points into the header", one(record(pointer(2), 1, [1, 2, 3, 4])), "name"],
  [
    "with an owner of a label and a pointer back to it",
    one(record([...label("x"), ...pointer(END)], 1, [1, 2, 3, 4])),
    "name",
  ],
  ["with a label of 64", one(record([64, ...A_LABEL.slice(1), 97, 0], 1, [1, 2, 3, 4])), "name"],
  ["with a label of the reserved kind", one(record([0x41, 97, 0], 1, [1, 2, 3, 4])), "name"],
  [
    "with a name that is longer than 255 by its pointer",
    one(record([...A_LABEL, ...A_LABEL, ...A_LABEL, ...label("b".repeat(60)), ...TO_QUESTION], 1, [1, 2, 3, 4])),
    "name",
  ],
  ["with a record that is cut", one(record(TO_QUESTION, 1, [1, 2, 3, 4]).slice(0, -1)), "short"],
  ["with a record without its numbers", one(TO_QUESTION, [0, 1]), "short"],
  ["with an address of 3 octets", one(record(TO_QUESTION, 1, [1, 2, 3])), "rdata"],
  [
    "with an address of 16",
    one(
      record(
        TO_QUESTION,
        1,
        Array.from({ length: 16 }, () => 1),
      ),
    ),
    "rdata",
  ],
  ["with an IPv6 address of 4", one(record(TO_QUESTION, 28, [1, 2, 3, 4])), "rdata"],
  ["with an alias that is shorter than its length", one(record(TO_QUESTION, 5, [...name("x"), 0])), "rdata"],
  ["with an alias that is longer than its length", one(record(TO_QUESTION, 5, name("host.bank.test"), 4), []), "rdata"],
  ["with an alias that points to itself", one(record(TO_QUESTION, 5, pointer(END + 12))), "rdata"],
  ["with an alias that points forwards", one(record(TO_QUESTION, 5, pointer(END + 14))), "rdata"],
  ["with a name server in an empty record", one(record(TO_QUESTION, 2, [])), "rdata"],
  ["with a mail exchange without a name", one(record(TO_QUESTION, 15, [0, 10])), "rdata"],
  [
    "with a mail exchange behind which something is left",
    one(record(TO_QUESTION, 15, [0, 10, ...name("mx"), 7])),
    "rdata",
  ],
  ["with a service without a name", one(record(TO_QUESTION, 33, [0, 1, 0, 2, 0, 3])), "rdata"],
  [
    "with a SOA that lacks a number",
    message(QR, { authorities: 1 }, QUESTION, record(WWW, 6, SOA_DATA.slice(0, -4))),
    "rdata",
  ],
  [
    "with a SOA that has one more",
    message(QR, { authorities: 1 }, QUESTION, record(WWW, 6, [...SOA_DATA, 0, 0, 0, 0])),
    "rdata",
  ],
  ["with two OPT records", message(QR, { additionals: 2 }, QUESTION, opt(), opt()), "edns"],
  ["with OPT as an answer", one(opt()), "edns"],
  ["with OPT that has an owner", message(QR, { additionals: 1 }, QUESTION, record(TO_QUESTION, 41, [])), "edns"],
];

/** Of these it cannot be said what they answer: they are no answer at all. */
const NO_ANSWER: readonly (readonly [string, Uint8Array])[] = [
  ...[0, 1, 2, 11, 12, END - 1].map(
    (length) => [`of ${length} octets`, one(record(TO_QUESTION, 1, [1, 2, 3, 4])).slice(0, length)] as const,
  ),
  ["without a question", message(QR, { questions: 0, answers: 1 }, record(WWW, 1, [1, 2, 3, 4]))],
  [
    "with two questions",
    message(QR, { questions: 2, answers: 1 }, QUESTION, QUESTION, record(TO_QUESTION, 1, [1, 2, 3, 4])),
  ],
  ["that is a query", message(0x0100, { answers: 1 }, QUESTION, record(TO_QUESTION, 1, [1, 2, 3, 4]))],
  ["with 65535 questions", message(QR, { questions: 65_535 }, QUESTION)],
  ["with a pointer as question", message(QR, { answers: 1 }, TO_QUESTION, A_IN, record(TO_QUESTION, 1, [1, 2, 3, 4]))],
];

/** With the id and, as far as it goes, the spelling of the query that it answers. */
function fitted(answer: Uint8Array, query: Buffer): Buffer {
  const fits = Buffer.from(answer);
  query.copy(fits, 0, 0, Math.min(2, fits.length));
  const asked = query.subarray(12, 12 + WWW.length);
  if (fits.subarray(12, 12 + 4).equals(Buffer.from(WWW.slice(0, 4)))) asked.copy(fits, 12);
  return fits;
}

describe("an answer", () => {
  test.each(UNREADABLE)("%s cannot be read", (_, bytes, kind) => {
    const found = decodeMessage(bytes);
    expect(found.ok ? "read" : found.error.kind).toBe(kind);
    expect(readAnswer(bytes, { edns: true })).toEqual({ kind: "malformed" });
  });

  test.each(UNREADABLE)("%s is asked for over TCP", async (_, bytes) => {
    const fake = await upstream({ udp: (query, send) => send(fitted(bytes, query)), tcp: (query) => respond(query) });
    const { ask, server } = await rig([fake]);
    expect(dataOf(await ask(queryFor("www.bank.test")))).toEqual(["192.0.2.7"]);
    expect(server.forwarder.counters.overTcp).toBe(1);
  });

  test.each(NO_ANSWER)("%s is ignored, and the wait goes on", async (_, bytes) => {
    const fake = await upstream({
      udp: (query, send) => {
        send(fitted(bytes, query));
        send(respond(query));
      },
    });
    const { ask, server } = await rig([fake]);
    expect(dataOf(await ask(queryFor("www.bank.test")))).toEqual(["192.0.2.7"]);
    expect(server.forwarder.counters).toMatchObject({ ignored: 1, overTcp: 0 });
  });
});

const soa = {
  type: "SOA",
  name: "bank.test",
  ttl: 60,
  data: { mname: "ns.bank.test", rname: "x.bank.test", serial: 1, refresh: 1, retry: 1, expire: 1, minimum: 30 },
} as const;
const ASKED = queryFor("www.bank.test");
const answered = (fields: Parameters<typeof respond>[1]): Uint8Array => respond(Buffer.from(ASKED), fields);
const SEEDS = [
  answered({}),
  answered({
    answers: [
      { type: "CNAME", name: "www.bank.test", ttl: 60, data: "host.bank.test" },
      { type: "A", name: "host.bank.test", ttl: 9, data: "192.0.2.1" },
    ],
  }),
  answered({ flags: 0x83, answers: [], authorities: [soa] }),
  answered({ additionals: [{ type: "A", name: "other.test", ttl: 5, data: "192.0.2.2" }] }),
  one(record(TO_QUESTION, 1, [192, 0, 2, 3])),
  message(
    QR,
    { answers: 2, additionals: 1 },
    QUESTION,
    record(TO_QUESTION, 5, [...label("host"), ...pointer(16)]),
    record(pointer(END + 12), 1, [1, 2, 3, 4]),
    opt(),
  ),
  message(
    QR,
    { answers: 1, authorities: 1 },
    QUESTION,
    record(TO_QUESTION, 15, [0, 1, ...TO_QUESTION]),
    record(pointer(16), 6, SOA_DATA),
  ),
  one(record(TO_QUESTION, 33, [0, 1, 0, 2, 0, 3, ...name("srv.test")])),
];
const OTHERWISE: ReadonlySet<string> = new Set([
  "other",
  "case-changed",
  "malformed",
  "truncated",
  "no-edns",
  "useless",
  "loop",
  "alias",
]);
const MAX_TTL = 3_600;
const LIMITS = { maxTtl: MAX_TTL, negativeTtl: 300 };

/** As the forwarder takes an answer: read, judged, kept, given to a client. The reply, or what came of it instead. */
function through(at: Bench, bytes: Uint8Array): string {
  const match = matchAnswer(0x1234, Uint8Array.from(QUESTION), bytes);
  if (match !== "answer") return match;
  const read = readAnswer(Uint8Array.from(bytes), { edns: true });
  if (read.kind !== "answer") return read.kind;
  const found = digest(
    read.message,
    false,
    LIMITS,
    () => true,
    () => false,
  );
  if (found.kind !== "answer") return found.kind;
  expect(found.ttl).toBeLessThanOrEqual(MAX_TTL);
  at.cache.store(packImage(found.parts, 0), view(ASKED), 0, 0, Math.max(1, found.ttl));
  return Buffer.from(at.ask(ASKED, { tcp: true }) ?? []).toString("hex");
}

describe("whatever octets an upstream sends", () => {
  const anything = fc.oneof(
    { weight: 4, arbitrary: mutated(SEEDS) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 300 }) },
  );

  test("they are read or refused, and what is passed on to clients reads back whole, with capped TTLs and nothing besides", () => {
    const at = bench([], ["."]);
    let passed = 0;
    fc.assert(
      fc.property(anything, (bytes) => {
        const reply = through(at, bytes);
        if (OTHERWISE.has(reply)) return;
        passed += 1;
        const back = decodeMessage(Buffer.from(reply, "hex"));
        if (!back.ok) throw new Error(`${back.error.kind} at ${back.error.at}`);
        expect(back.value.records.every(({ ttl, section }) => ttl <= MAX_TTL && section < 2)).toBe(true);
      }),
      { numRuns: 10_000 },
    );
    expect(passed).toBeGreaterThan(100);
  });

  test("two instances make the same of them", () => {
    const [first, second] = [bench([], ["."]), bench([], ["."])];
    fc.assert(
      fc.property(anything, (bytes) => {
        expect(through(first, bytes)).toBe(through(second, bytes));
      }),
      { numRuns: 5_000 },
    );
  });

  // CVE-2024-8508 class: names that are walked again and again, each time by as many jumps as a name may have.
  test("a thousand names of 126 jumps each are read in a moment", () => {
    const hops = Array.from({ length: 126 }, (_, i) =>
      i === 0 ? [...label("x"), 0] : [...label("x"), ...pointer(END + 10 + 2 + (i === 1 ? 0 : 3 + 4 * (i - 2)))],
    ).flat();
    const far = END + 10 + 2 + 3 + 4 * 124;
    const records = Array.from({ length: 499 }, () => record(pointer(far), 5, pointer(far)));
    const bomb = message(QR, { answers: 500 }, QUESTION, record(TO_QUESTION, 65_280, hops), ...records);
    const began = performance.now();
    for (let i = 0; i < 20; i += 1) {
      const read = readAnswer(bomb, { edns: true });
      if (read.kind !== "answer") throw new Error(read.kind);
      digest(
        read.message,
        false,
        LIMITS,
        () => true,
        () => false,
      );
    }
    expect(performance.now() - began).toBeLessThan(10_000);
  });
});
