import { BEHAVIOURS } from "./behaviours.ts";
import { HOSTILE_ZONE, type Seeded, ZONE } from "./names.ts";
import { TYPE, type Question } from "./wire.ts";
import type { Known } from "./zone.ts";

/** A question as a client puts it. */
export interface Put extends Question {
  /** What kind of name it is: of the zone, or a behaviour of the hostile server. */
  readonly kind: string;
  readonly flags: number;
  readonly edns: number | undefined;
  readonly dnssecOk: boolean;
  readonly tcp: boolean;
}

const RD = 0x0100;
const AD = 0x0020;
const CD = 0x0010;

/** How many names of each behaviour there are in so many questions; what takes seconds to fail is asked for less. */
const SHARE = 1 / 90;
const RARE: Readonly<Record<string, number>> = {
  dead: 1 / 2_500,
  "lost-at-one": 1 / 1_000,
  "lost-once": 1 / 400,
  "trunc-always": 1 / 1_000,
};

const TYPES = [
  TYPE.A,
  TYPE.A,
  TYPE.A,
  TYPE.A,
  TYPE.AAAA,
  TYPE.AAAA,
  TYPE.MX,
  TYPE.TXT,
  TYPE.CNAME,
  TYPE.NS,
  TYPE.SOA,
  TYPE.SRV,
  TYPE.PTR,
  TYPE.HTTPS,
  TYPE.DNAME,
  65_280,
  TYPE.ANY,
];

/** `count` questions: about half of nsd's names, a third of the hostile server's, a sixth put again in other words. */
export function makeQuestions(known: readonly Known[], count: number, random: Seeded): Put[] {
  const hostile = hostileNames(count);
  const asked: Put[] = [];
  while (asked.length < count) {
    const dice = random.below(6);
    const before = asked[random.below(Math.max(1, asked.length))];
    if (dice === 0 && before !== undefined)
      asked.push({ ...manner(random), name: before.name, type: before.type, kind: before.kind });
    else if (dice < 3) asked.push(ofHostile(hostile, random));
    else asked.push(ofZone(known, random));
  }
  return asked;
}

/** Names of each behaviour, each asked for about three times. */
function hostileNames(count: number): Known[] {
  return Object.keys(BEHAVIOURS).flatMap((kind) => {
    const names = Math.max(1, Math.round((count * (RARE[kind] ?? SHARE)) / 6));
    return Array.from({ length: names }, (_, i) => ({
      name: `${kind}-${ringLetter(kind, i)}${i}.${HOSTILE_ZONE}`,
      kind,
    }));
  });
}

function ringLetter(kind: string, i: number): string {
  return kind === "ring-split" ? (i % 2 === 0 ? "a" : "b") : "";
}

function ofHostile(names: readonly Known[], random: Seeded): Put {
  const { name, kind } = random.pick(names);
  const type = random.below(3) === 0 ? random.pick(TYPES) : TYPE.A;
  return { ...manner(random), name: spelled(name, random), type, kind };
}

function ofZone(known: readonly Known[], random: Seeded): Put {
  const { name, kind } = random.pick(known);
  const made = random.below(20) === 0 ? `n${random.below(1_000)}.${name === ZONE ? "" : "x."}${ZONE}` : name;
  return {
    ...manner(random),
    name: spelled(made, random),
    type: typeFor(kind, random),
    kind: made === name ? kind : "made-up",
  };
}

/** Mostly the type that this kind of name has. */
function typeFor(kind: string, random: Seeded): number {
  const own: Readonly<Record<string, number>> = { mail: TYPE.MX, short: TYPE.TXT, long: TYPE.TXT, odd: 65_280 };
  return random.below(2) === 0 ? (own[kind] ?? TYPE.A) : random.pick(TYPES);
}

/** One in four in a mixture of cases; escapes are digits and stay what they are. */
function spelled(name: string, random: Seeded): string {
  if (random.below(4) > 0) return name;
  return [...name].map((letter) => (random.below(2) === 0 ? letter.toUpperCase() : letter)).join("");
}

/** Header bits, EDNS and transport. */
function manner(random: Seeded): Pick<Put, "flags" | "edns" | "dnssecOk" | "tcp"> {
  const edns = random.pick([undefined, 0, 512, 1_232, 1_232, 4_096, 65_535]);
  return {
    flags: RD | (random.below(4) === 0 ? AD : 0) | (random.below(6) === 0 ? CD : 0),
    edns,
    dnssecOk: edns !== undefined && random.below(4) === 0,
    tcp: random.below(12) === 0,
  };
}
