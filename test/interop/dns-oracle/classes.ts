import { largest, type Compared, type Difference } from "./compare.ts";
import { TYPE, type ReadRecord, type Reply } from "./wire.ts";

const SERVFAIL = 2;
const NXDOMAIN = 3;
const CAP = 86_400;

/** A way in which the two differ and may: `because` says why, `fits` what exactly it looks like on both sides. */
interface Class {
  readonly because: string;
  readonly fits: (both: Both) => boolean;
}

interface Both {
  readonly ours: Reply;
  /** Undefined: no reply within half a minute. */
  readonly theirs: Reply | undefined;
  readonly kind: string;
  readonly type: number;
  readonly differences: readonly Difference[];
  /** Largest datagram that the client takes. */
  readonly most: number;
  /** What ages in one cache and not in the other may differ by so much. */
  readonly seconds: number;
}

const isAnswer = ({ rcode }: Reply): boolean => rcode === 0 || rcode === NXDOMAIN;
const failed = (reply: Reply | undefined): boolean => reply === undefined || reply.rcode === SERVFAIL;
const isEmpty = ({ answers }: Reply): boolean => answers.length === 0;
const only = ({ differences }: Both, ...may: readonly Difference[]): boolean =>
  differences.every((each) => may.includes(each));
/** We answer, unbound does not. */
const weAnswer = ({ ours, theirs }: Both): boolean => isAnswer(ours) && failed(theirs);
const ofKind = (...kinds: readonly string[]): ((both: Both) => boolean) => {
  const known = new Set(kinds);
  return ({ kind }) => known.has(kind);
};
const sameRecord = (one: ReadRecord, other: ReadRecord): boolean =>
  one.owner === other.owner && one.type === other.type && one.data === other.data;
const hasType = ({ answers }: Reply, type: number): boolean => answers.some((each) => each.type === type);
/** Pairs of the same record with TTLs that time does not explain. */
function apart({ ours, theirs, seconds }: Both): (readonly [ReadRecord, ReadRecord])[] {
  if (theirs === undefined) return [];
  return [...ours.answers, ...ours.authorities].flatMap((one) => {
    const other = [...theirs.answers, ...theirs.authorities].find((each) => sameRecord(each, one));
    return other === undefined || Math.abs(other.ttl - one.ttl) <= seconds ? [] : [[one, other] as const];
  });
}

const endsWait = ofKind("echo", "wrong-name", "wrong-type", "wrong-opcode", "garbage");
const unreadable = ofKind("count-lies", "cut", "trailing", "two-opts");

/** The first that fits is it. Narrow on purpose: what looks a little different is a difference that nobody has explained. */
export const CLASSES: Readonly<Record<string, Class>> = {
  "any-minimal": {
    because: "type ANY gets HINFO from us (RFC 8482); unbound asks, and gives what it has",
    fits: ({ ours, type }) =>
      type === TYPE.ANY && ours.answers.length === 1 && ours.answers[0]?.data === "075246433834383200",
  },
  "cut-empty": {
    because:
      "what does not fit the client's datagram: TC from both, with nothing else from us and with what fits from unbound",
    fits: (both) => both.ours.tc && both.theirs?.tc === true && isEmpty(both.ours) && only(both, "answers", "soa"),
  },
  uncompressed: {
    because:
      "an answer that we put together from several is written without compression, and is sooner too long for a datagram: TC from us alone",
    fits: (both) =>
      both.ours.tc &&
      both.theirs?.tc === false &&
      ofKind(
        "chain-alone-long",
        "chain-no",
        "chain",
        "chain-disordered",
        "treeout",
        "across",
        "astray",
        "beside",
      )(both) &&
      isEmpty(both.ours) &&
      both.theirs.size > both.most / 4,
  },
  "no-expires-at-once": {
    because:
      'a "no" with aliases is one image that expires with its shortest record, and its TTLs say so; unbound keeps the alias for longer',
    fits: (both) => {
      const { ours, type } = both;
      if (!only(both, "ttl", "soa-ttl") || hasType(ours, type) || !hasType(ours, TYPE.CNAME)) return false;
      return apart(both).every(([mine, other]) => mine.ttl <= other.ttl);
    },
  },
  "made-of-dname": {
    because:
      "the CNAME that a DNAME stands for comes with the DNAME's TTL from nsd, and so from us; unbound makes it itself from what it keeps, with TTL 0",
    fits: (both) => {
      if (!only(both, "ttl", "soa-ttl") || !hasType(both.ours, TYPE.DNAME)) return false;
      return apart(both).every(
        ([mine, other]) => (other.type === TYPE.CNAME && other.ttl === 0) || mine.ttl <= other.ttl,
      );
    },
  },
  "dname-above": {
    because:
      "type DNAME of a name below one: NODATA at the end of the alias, with its SOA; unbound takes the DNAME on the way for the answer and leaves the SOA out",
    fits: (both) =>
      both.type === TYPE.DNAME &&
      hasType(both.ours, TYPE.DNAME) &&
      hasType(both.ours, TYPE.CNAME) &&
      only(both, "soa", "ttl"),
  },
  "alias-beside-data": {
    because:
      "an alias and other data at one name, which no zone may have: we pass on what was asked for, unbound follows the alias",
    fits: (both) =>
      ofKind("alias-and-more")(both) && isAnswer(both.ours) && both.theirs !== undefined && isAnswer(both.theirs),
  },
  "ttl-top-bit": {
    because:
      "a TTL with its top bit set is large and then capped (RFC 8767 section 4); unbound takes it for 0 (RFC 2181 section 8)",
    fits: (both) => {
      const { ours, theirs } = both;
      return (
        ofKind("ttl-top")(both) &&
        only(both, "ttl") &&
        theirs !== undefined &&
        ours.answers.every(({ ttl }) => ttl > CAP - 600 && ttl <= CAP) &&
        theirs.answers.every(({ ttl }) => ttl === 0)
      );
    },
  },
  "bad-datagram-ends-wait": {
    because:
      "a datagram that is no answer to the question (an echo, another name, type or opcode, noise) is ignored and the wait goes on; unbound takes it for the server's answer and fails",
    fits: (both) => endsWait(both) && weAnswer(both),
  },
  "unreadable-over-tcp": {
    because: "an answer that cannot be read over UDP is asked for over TCP; unbound tries others, then fails",
    fits: (both) => unreadable(both) && weAnswer(both),
  },
  "guesses-over-tcp": {
    because:
      "after three wrong ids we ask over TCP, where nobody can guess; unbound waits for the right id over UDP, which never comes",
    fits: (both) => ofKind("wrong-ids-only")(both) && weAnswer(both),
  },
  "other-class": {
    because: "a record of class CH has no place in an answer of class IN: we leave it out, unbound passes it on",
    fits: (both) =>
      ofKind("other-class")(both) &&
      only(both, "answers", "soa") &&
      both.theirs !== undefined &&
      both.theirs.answers.some((each) => each.class === 3),
  },
  "lying-length": {
    because: "an address of five octets is no address: we ask over TCP; unbound passes it on",
    fits: (both) => ofKind("long-address")(both) && isAnswer(both.ours) && only(both, "answers"),
  },
  "header-alone": {
    because:
      "FORMERR without the question is what servers say that cannot read EDNS: we ask without it, then over TCP; unbound fails",
    fits: (both) => ofKind("headless")(both) && weAnswer(both),
  },
  referral: {
    because:
      "a referral is no answer from a server that should resolve: SERVFAIL; unbound passes it on as an empty answer",
    fits: ({ kind, ours, theirs }) =>
      (kind === "sub" || kind === "made-up" || kind === "referral-all") &&
      ours.rcode === SERVFAIL &&
      theirs?.rcode === 0 &&
      isEmpty(theirs),
  },
  "referral-at-one": {
    because: "a referral sends us to the next upstream; unbound passes it on as an empty answer",
    fits: (both) =>
      ofKind("referral-at-one")(both) && isAnswer(both.ours) && both.theirs?.rcode === 0 && isEmpty(both.theirs),
  },
  "extended-rcode": {
    because:
      "the upper bits of the rcode travel in the OPT record: BADVERS is a failure; unbound reads the lower ones, NOERROR, and passes on an empty answer",
    fits: (both) =>
      ofKind("badvers-all")(both) && both.ours.rcode === SERVFAIL && both.theirs?.rcode === 0 && isEmpty(both.theirs),
  },
  "gives-up-early": {
    because:
      "we wait 600 ms and more; unbound has learnt from quick names of the server to wait 50 ms, and after some tries fails",
    fits: (both) => ofKind("slow", "lost-at-one", "lost-once", "across", "treeout")(both) && weAnswer(both),
  },
  "never-ends": {
    because:
      "a name that nobody answers for gets SERVFAIL from us after 3 s; unbound goes on for longer than half a minute",
    fits: ({ kind, ours, theirs }) => kind === "dead" && ours.rcode === SERVFAIL && theirs === undefined,
  },
};

export const SENTENCES: ReadonlyMap<string, string> = new Map(
  Object.entries(CLASSES).map(([name, { because }]) => [name, because]),
);

/** The name of the class that a difference belongs to; undefined when none explains it. No reply from us is explained by nothing. */
export function explain({ put, ours, theirs, differences, seconds }: Compared): string | undefined {
  if (ours === undefined || differences.includes("size") || differences.includes("forged")) return undefined;
  const both: Both = { ours, theirs, kind: put.kind, type: put.type, differences, seconds, most: largest(put) };
  return Object.entries(CLASSES).find(([, { fits }]) => fits(both))?.[0];
}
