import { a, cname, forgery, ns, opt, soa, write, type Resource, type Written } from "./message.ts";
import { HOSTILE_ZONE, hash } from "./names.ts";
import {
  answer,
  bigSet,
  chain,
  honest,
  records,
  RESPONSE,
  say,
  TC,
  type Asked,
  type Behaviour,
  type Said,
} from "./honest.ts";
import { TYPE, wireName } from "./wire.ts";

/** Of the two addresses the one that misbehaves for this name. */
const isBad = ({ name, place }: Asked): boolean => hash(`bad ${name}`) % 2 === place;
const status = (asked: Asked, rcode: number): Buffer => answer(asked, { rcode, answers: [], authorities: [] });
const forged = (asked: Asked, changed: Partial<Written> = {}): Buffer =>
  answer(asked, { answers: [forgery("@")], ...changed });

/** Whatever it is, over UDP; over TCP all is well. */
const overUdp =
  (bad: Behaviour): Behaviour =>
  (asked) =>
    asked.tcp ? honest(asked) : bad(asked);
const atOne =
  (bad: Behaviour): Behaviour =>
  (asked) =>
    isBad(asked) ? bad(asked) : honest(asked);
const saying =
  (rcode: number): Behaviour =>
  (asked) =>
    say(status(asked, rcode));
const withRecords =
  (answers: (asked: Asked) => Resource[]): Behaviour =>
  (asked) =>
    say(answer(asked, { answers: answers(asked) }));
const referral: Behaviour = (asked) =>
  say(
    answer(asked, {
      answers: [],
      authorities: [ns(HOSTILE_ZONE, `ns.${HOSTILE_ZONE}`)],
      additionals: [forgery(`ns.${HOSTILE_ZONE}`)],
    }),
  );
const below = (asked: Asked, label: string): string => `${label}.${asked.name}`;
const changedByte = (bytes: Buffer, at: number, to: (byte: number) => number): Buffer => {
  bytes.writeUInt8(to(bytes.readUInt8(at)) & 255, at);
  return bytes;
};

function lowered(question: Buffer): Buffer {
  const end = question.length - 4;
  return Buffer.from(question.map((byte, i) => (i < end && byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte)));
}

/** Names that others must not be able to speak for; the honest say 198.51.100.x by the hash of it, never 66. */
const VICTIM = `plain-victim.${HOSTILE_ZONE}`;
const OUTSIDE = "www.oracle.example";

/** By the first part of the name's first label: `slow-17.hostile.example`. */
export const BEHAVIOURS: Readonly<Record<string, Behaviour>> = {
  plain: honest,
  // Loss.
  "lost-once": (asked) => (asked.tcp || asked.before > 0 ? honest(asked) : []),
  "lost-at-one": atOne((asked) => (asked.tcp ? honest(asked) : [])),
  slow: (asked) => [{ bytes: answer(asked), afterMs: 100 + (hash(asked.name) % 300) }],
  dead: () => [],
  // Truncation.
  trunc: overUdp((asked) => say(answer(asked, { flags: RESPONSE | TC, answers: [], authorities: [] }))),
  "trunc-part": overUdp((asked) => say(forged(asked, { flags: RESPONSE | TC }))),
  "trunc-always": (asked) => say(answer(asked, { flags: RESPONSE | TC, answers: [], authorities: [] })),
  big: (asked) =>
    asked.tcp
      ? say(answer(asked, { answers: bigSet(asked) }))
      : say(answer(asked, { flags: RESPONSE | TC, answers: [] })),
  "big-udp": (asked) => say(answer(asked, { answers: bigSet(asked) })),
  // Lame servers.
  "refused-at-one": atOne(saying(5)),
  "servfail-at-one": atOne(saying(2)),
  "notimp-at-one": atOne(saying(4)),
  "formerr-at-one": atOne(saying(1)),
  "notauth-at-one": atOne(saying(9)),
  "referral-at-one": atOne(referral),
  "refused-all": saying(5),
  "servfail-all": saying(2),
  "referral-all": referral,
  "badvers-all": (asked) => say(answer(asked, { answers: [], authorities: [], additionals: [opt(1)] })),
  noedns: (asked) =>
    asked.edns ? say(answer({ ...asked, edns: false }, { rcode: 1, answers: [], authorities: [] })) : honest(asked),
  headless: (asked) =>
    asked.tcp ? honest(asked) : say(write({ id: asked.id, flags: 0x8000, rcode: 1, question: Buffer.alloc(0) })),
  // Guesses, echoes and strangers.
  "wrong-id": overUdp((asked) => say(forged(asked, { id: asked.id + 1 }), answer(asked))),
  "wrong-ids": overUdp((asked) => [
    ...[1, 2, 3, 4, 5].map((i) => ({ bytes: forged(asked, { id: asked.id + i }) })),
    { bytes: answer(asked) },
  ]),
  "wrong-ids-only": overUdp((asked) => say(...[1, 2, 3, 4, 5].map((i) => forged(asked, { id: asked.id + i })))),
  "wrong-case": overUdp((asked) => say(answer(asked, { question: lowered(asked.question) }))),
  "wrong-name": overUdp((asked) =>
    say(forged(asked, { question: Buffer.concat([wireName(VICTIM), asked.question.subarray(-4)]) }), answer(asked)),
  ),
  "wrong-type": overUdp((asked) =>
    say(
      forged(asked, { question: Buffer.concat([asked.question.subarray(0, -4), Buffer.of(0, 99, 0, 1)]) }),
      answer(asked),
    ),
  ),
  elsewhere: overUdp((asked) => [
    { bytes: forged(asked), elsewhere: true },
    { bytes: answer(asked), afterMs: 5 },
  ]),
  echo: overUdp((asked) => say(forged(asked, { flags: 0x0100 }), answer(asked))),
  "wrong-opcode": overUdp((asked) => say(forged(asked, { flags: RESPONSE | 0x2000 }), answer(asked))),
  // Records that nobody asked for.
  "junk-answer": withRecords((asked) => [...records(asked), forgery(VICTIM), forgery(OUTSIDE)]),
  "junk-before": withRecords((asked) => [forgery(VICTIM), ...records(asked)]),
  "junk-additional": (asked) => say(answer(asked, { additionals: [forgery(VICTIM), forgery(OUTSIDE), opt()] })),
  "junk-authority": (asked) =>
    say(
      answer(asked, {
        authorities: [
          ns("example", VICTIM),
          ns(HOSTILE_ZONE, `ns.${HOSTILE_ZONE}`),
          ...(records(asked).length === 0 ? [soa()] : []),
        ],
      }),
    ),
  "other-type": withRecords((asked) => [...records(asked), { owner: "@", type: 65_300, ttl: 60, data: Buffer.of(1) }]),
  "other-class": withRecords((asked) => [...records(asked), { ...forgery("@"), class: 3 }]),
  twice: withRecords((asked) => [...records(asked), ...records(asked)]),
  "cased-owner": withRecords((asked) => records(asked).map((each) => ({ ...each, owner: asked.name.toUpperCase() }))),
  options: (asked) => say(answer(asked, { additionals: [opt(0, Buffer.from("000f0002000afde90003010203", "hex"))] })),
  // TTLs.
  "ttl-zero": withRecords((asked) => records(asked).map((each) => ({ ...each, ttl: 0 }))),
  "ttl-huge": withRecords((asked) => records(asked).map((each) => ({ ...each, ttl: 0x7fffffff }))),
  "ttl-top": withRecords((asked) => records(asked).map((each) => ({ ...each, ttl: 0xffffffff }))),
  "ttl-mixed": withRecords((asked) =>
    asked.type === TYPE.A ? [a("@", 1, 300), a("@", 2, 100), a("@", 3, 3_000)] : records(asked),
  ),
  // Aliases.
  chain: withRecords((asked) => chain(asked)),
  "chain-disordered": withRecords((asked) => chain(asked).toReversed()),
  "chain-no": (asked) => {
    const answers = chain(asked).filter(({ type }) => type === TYPE.CNAME);
    return say(
      answer(
        asked,
        asked.type === TYPE.CNAME && answers.length > 0 ? { answers } : { rcode: 3, answers, authorities: [soa()] },
      ),
    );
  },
  "chain-alone": withRecords(() => [cname("@", `plain-end.${HOSTILE_ZONE}`)]),
  "chain-alone-long": withRecords((asked) => [
    cname("@", asked.name.split(".").length > 6 ? `plain-end.${HOSTILE_ZONE}` : below(asked, "d")),
  ]),
  "chain-alone-lost": withRecords(() => [cname("@", `refused-all-end.${HOSTILE_ZONE}`)]),
  "chain-out": withRecords(() => [cname("@", "host1.oracle.example"), forgery("host1.oracle.example")]),
  loop: withRecords((asked) => [cname("@", asked.name)]),
  ring: withRecords((asked) =>
    asked.name.startsWith("b.")
      ? [cname("@", asked.name.slice(2))]
      : [cname("@", below(asked, "b")), cname(below(asked, "b"), asked.name)],
  ),
  "ring-split": withRecords((asked) => [
    cname(
      "@",
      asked.name.startsWith("ring-split-a")
        ? asked.name.replace("ring-split-a", "ring-split-b")
        : asked.name.replace("ring-split-b", "ring-split-a"),
    ),
  ]),
  "alias-and-more": withRecords(() => [cname("@", `plain-end.${HOSTILE_ZONE}`), a("@", 1)]),
  // No.
  nx: (asked) => say(answer(asked, { rcode: 3, answers: [], authorities: [soa()] })),
  "nx-bare": (asked) => say(answer(asked, { rcode: 3, answers: [], authorities: [] })),
  "no-bare": (asked) => say(answer(asked, { answers: [], authorities: [] })),
  "no-long": (asked) =>
    say(answer(asked, { answers: [], authorities: [{ ...soa(1_000_000, 1_000_000), owner: asked.name }] })),
  "no-zero": (asked) => say(answer(asked, { answers: [], authorities: [{ ...soa(600, 0), owner: asked.name }] })),
  "no-foreign": (asked) =>
    say(answer(asked, { rcode: 3, answers: [], authorities: [{ ...soa(), owner: "elsewhere.example" }] })),
  // Bytes that are no message.
  "count-lies": overUdp((asked) => say(changedByte(answer(asked), 7, (count) => count + 1))),
  trailing: overUdp((asked) => say(Buffer.concat([answer({ ...asked, edns: false }), Buffer.of(1, 2, 3)]))),
  cut: overUdp((asked) => say(answer(asked).subarray(0, -3))),
  garbage: overUdp((asked) => say(Buffer.from(asked.question), Buffer.of(1), answer(asked))),
  "two-opts": overUdp((asked) => say(answer(asked, { additionals: [opt(), opt()] }))),
  "long-address": overUdp(
    withRecords((asked) => records(asked).map((each) => ({ ...each, data: Buffer.concat([each.data, Buffer.of(0)]) }))),
  ),
};

/** The longest kind that the first label of the part below the zone begins with. */
export function kindOf(name: string): string {
  const label = name.endsWith(`.${HOSTILE_ZONE}`)
    ? (name
        .slice(0, -HOSTILE_ZONE.length - 1)
        .split(".")
        .at(-1) ?? "")
    : "";
  const kinds = Object.keys(BEHAVIOURS).filter((kind) => label === kind || label.startsWith(`${kind}-`));
  return kinds.toSorted((one, other) => other.length - one.length)[0] ?? "plain";
}

export function behave(asked: Asked): readonly Said[] {
  return (BEHAVIOURS[kindOf(asked.name)] ?? honest)(asked);
}
