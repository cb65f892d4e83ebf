import { describe, expect, test } from "vitest";
import dnsPacket, { type Answer } from "dns-packet";
import fc from "fast-check";
import { CUT, MESSAGE_AT, NO_ALIAS, packImage, UNJUDGED, WORD, type Slab } from "../src/cache/image.ts";
import { extendedError } from "../src/extended-error.ts";
import { AliasJudge, reasonOf } from "../src/policy/alias-judge.ts";
import { aliasesOf, namesOf } from "../src/policy/alias-chain.ts";
import type { Policies } from "../src/policy/load-policies.ts";
import { PolicyBuilder } from "../src/policy/policy-builder.ts";
import { PolicyJudge } from "../src/policy/policy-judge.ts";
import { POLICY_ACTION, SCOPE } from "../src/policy/policy-table.ts";
import { REASON, REASONS } from "../src/reasons.ts";
import { atOnce } from "../src/sliced.ts";
import { decodeMessage, MOST_RECORDS, type Message } from "../src/wire/message.ts";
import { formatName } from "../src/wire/name.ts";
import { TYPE } from "../src/wire/registry.ts";
import { bench, decoded, LOOPBACK, queryFor } from "./fixtures.ts";

/** The lists of one name each, all of them NXDOMAIN for it and what is below. */
function listsOf(...names: readonly string[]): PolicyJudge {
  const builder = new PolicyBuilder();
  names.forEach((name, i) => builder.addText(i, name, POLICY_ACTION.nxdomain, SCOPE.self | SCOPE.below));
  const lists = names.map((name) => ({ extended: extendedError(15, `policy ${name}`) }));
  const policies = { lists, memory: atOnce(builder.finishing(3)) } as unknown as Policies;
  const judge = PolicyJudge.of(policies);
  if (judge === undefined) throw new Error("no lists");
  return judge;
}

const cname = (name: string, data: string): Answer => ({ type: "CNAME", name, ttl: 60, data });
const a = (name: string): Answer => ({ type: "A", name, ttl: 60, data: "192.0.2.1" });

function messageOf(answers: readonly Answer[], name = "www.example", type = "A"): Message {
  const questions = [{ type: type as "A", name }];
  const bytes = dnsPacket.encode({ type: "response", flags: 0x80, questions, answers: [...answers] });
  const message = decodeMessage(Uint8Array.from(bytes));
  if (!message.ok) throw new Error("not read");
  return message.value;
}

function imageOf(message: Message, cut = false): Slab {
  const nameLength = message.questionEnd - 16;
  const ttlsAt = message.records.map(({ ttlAt }) => ttlAt);
  return packImage({ message: message.bytes, nameLength, ttlsAt, negative: false, aliased: true, cut }, 0);
}

const chain = (message: Message): string[] => namesOf(message).map((name) => formatName(name));
const judgeOf = (judge: PolicyJudge | undefined, version = 1): AliasJudge =>
  new AliasJudge(judge, () => false, version);

describe("the names along an answer", () => {
  test("come in the order of the chain, whatever the order of the records and their case", () => {
    const answers = [cname("B.example", "c.example"), a("c.example"), cname("www.example", "b.EXAMPLE")];
    expect(chain(messageOf(answers))).toEqual(["www.example.", "b.example.", "c.example."]);
  });

  test("end where the type that was asked for stands, and at once for who asks for CNAME", () => {
    const beside = [cname("www.example", "b.example"), a("b.example"), cname("b.example", "c.example")];
    expect(chain(messageOf(beside))).toEqual(["www.example.", "b.example."]);
    expect(chain(messageOf([cname("www.example", "b.example")], "www.example", "CNAME"))).toEqual(["www.example."]);
  });

  test("go on by the first alias of a name that has several: by that one the answer was read, and clients go", () => {
    const several = [cname("www.example", "b.example"), cname("www.example", "c.example"), a("b.example")];
    expect(chain(messageOf(several))).toEqual(["www.example.", "b.example."]);
    expect(judgeOf(listsOf("b.example")).answers(imageOf(messageOf(several)), 0)).toBe(true);
    expect(judgeOf(listsOf("c.example")).answers(imageOf(messageOf(several)), 0)).toBe(false);
  });

  test("are passed once, in a chain that comes back and in one as long as an answer may be", () => {
    const loop = [cname("www.example", "b.example"), cname("b.example", "www.example")];
    expect(chain(messageOf(loop))).toEqual(["www.example.", "b.example."]);
    const long = Array.from({ length: MOST_RECORDS - 1 }, (_, i) =>
      cname(i === 0 ? "www.example" : `n${i}.example`, `n${i + 1}.example`),
    );
    const message = messageOf([...long, a(`n${MOST_RECORDS - 1}.example`)]);
    expect(chain(message)).toHaveLength(MOST_RECORDS);
    const judge = judgeOf(listsOf(`n${MOST_RECORDS - 1}.example`));
    expect(judge.answers(imageOf(message), 0)).toBe(true);
  });

  test("whatever the answer: each name once, and the aliases of some are among its records", () => {
    const name = fc.constantFrom("www.example", "b.example", "c.example", "x.b.example", "example");
    const record = fc.oneof(
      fc.tuple(name, name).map(([owner, to]) => cname(owner, to)),
      name.map(a),
      fc.tuple(name, name).map(([owner, data]): Answer => ({ type: "DNAME", name: owner, ttl: 1, data })),
    );
    fc.assert(
      fc.property(fc.array(record, { maxLength: 12 }), (answers) => {
        const message = messageOf(answers);
        const names = namesOf(message);
        expect(new Set(names.map((each) => formatName(each))).size).toBe(names.length);
        const kept = aliasesOf(message, names.slice(0, 2));
        expect(kept.every((each) => message.records.includes(each))).toBe(true);
        judgeOf(listsOf("c.example")).instead(imageOf(message), 0);
      }),
    );
  });
});

describe("a verdict", () => {
  test("stands in the image, and is that of these lists alone", () => {
    const image = imageOf(messageOf([cname("www.example", "b.example"), a("b.example")]));
    expect(image.words[WORD.verdict]).toBe(UNJUDGED);
    const [first, second] = [judgeOf(listsOf("other.example"), 1), judgeOf(listsOf("b.example"), 2)];
    first.note(image);
    expect(image.words[WORD.verdict]).toBe(first.passing);
    expect(first.insteadOf(image)).toBeUndefined();
    expect(second.insteadOf(image)).toBeDefined();
    expect([first.passing, first.answered, second.passing, second.answered]).toEqual([2, 3, 4, 5]);
  });

  test("is not asked for where nothing leads on, and none is needed without lists", () => {
    const message = messageOf([a("www.example")]);
    const image = packImage({ message: message.bytes, nameLength: 13, ttlsAt: [], negative: false }, 0);
    judgeOf(listsOf("www.example")).note(image);
    expect([image.words[WORD.verdict], judgeOf(listsOf("www.example")).insteadOf(image)]).toEqual([
      NO_ALIAS,
      undefined,
    ]);
    const aliased = imageOf(messageOf([cname("www.example", "b.example")]));
    judgeOf(undefined).note(aliased);
    expect(aliased.words[WORD.verdict]).toBe(2);
  });

  test("of the first list that has the name names it", () => {
    const image = imageOf(messageOf([cname("www.example", "x.b.example"), a("x.b.example")]));
    const judge = judgeOf(listsOf("c.example", "b.example", "x.b.example"));
    const instead = judge.instead(image, 0);
    if (instead === undefined) throw new Error("let pass");
    expect(reasonOf(instead, 0)).toBe(REASON.policyNxdomain);
    expect(Buffer.from(judge.extendedOf(instead, 0) ?? []).toString("latin1", 2)).toBe("policy b.example");
    expect(judge.textOf(image, 0)).toBe(
      "leads to x.b.example., which is answered by policy b.example: policy-nxdomain",
    );
  });

  test("that blocks does so too when the aliases before it are more than a message holds: these are left out", () => {
    const long = `${"a".repeat(60)}.${"b".repeat(60)}.${"c".repeat(60)}.example`;
    const chained = messageOf([cname("www.example", long), cname(long, "tracker.example")]);
    const instead = judgeOf(listsOf("tracker.example")).instead(imageOf(signed(chained, 400)), 0);
    if (instead === undefined) throw new Error("let pass");
    const reply = decoded(instead.bytes.subarray(MESSAGE_AT, MESSAGE_AT + ((instead.words[WORD.lengths] ?? 0) >>> 16)));
    expect([reply.rcode, reply.answers?.length, reply.authorities?.length]).toEqual(["NXDOMAIN", 0, 1]);
  });
});

/** With so many signatures of its second record, whose owners are pointers to it: a few octets each until they are written out. */
function signed({ bytes, records }: Message, count: number): Message {
  const ownerAt = records[1]?.ownerAt ?? 0;
  const signature = Buffer.from([0xc0 | (ownerAt >>> 8), ownerAt & 0xff, 0, TYPE.RRSIG, 0, 1, 0, 0, 0, 60, 0, 1, 0]);
  const all = Buffer.concat([bytes, ...Array.from({ length: count }, () => signature)]);
  all.writeUInt16BE(records.length + count, 6);
  const message = decodeMessage(Uint8Array.from(all));
  if (!message.ok) throw new Error("not read");
  return message.value;
}

test("an answer that was cut short where a list had a name is never given as it is, once no list has the name", () => {
  const { resolver, out } = bench([], ["."]);
  const image = imageOf(messageOf([cname("www.example", "b.example")]), true);
  expect((image.words[WORD.state] ?? 0) & CUT).toBe(CUT);
  resolver.lateImage(image, false, queryFor("www.example"), LOOPBACK, false, out);
  expect(decoded(out.slice(0, resolver.length))).toMatchObject({ rcode: "SERVFAIL", answers: [] });
  expect(REASONS[resolver.reason]).toBe("upstream-failed");
});
