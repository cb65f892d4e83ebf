import { BESIDE, HOSTILE_ZONE, type Seeded, ZONE } from "./names.ts";

/** How many of each kind of name the zone has. */
const OF_EACH = 120;

/** A name to ask for, relative to nothing, and what kind of name it is. */
export interface Known {
  readonly name: string;
  readonly kind: string;
}

export interface Made {
  readonly zone: string;
  /** A second zone of the same server. */
  readonly beside: string;
  readonly names: readonly Known[];
}

const HEAD = `$TTL 300
@ SOA ns hostmaster 1 3600 600 86400 120
@ NS ns
ns A 192.0.2.53
@ MX 10 mail
@ TXT "the apex"
mail A 192.0.2.25
`;

type Make = (label: string, i: number, random: Seeded) => { lines: readonly string[]; ask: readonly string[] };

const at = (label: string): string => `${label}.${ZONE}`;
const addresses = (label: string, count: number): string[] =>
  Array.from({ length: count }, (_, i) => `${label} A 192.0.2.${i % 250}`);
const text = (octets: number, letter: string): string =>
  Array.from({ length: Math.ceil(octets / 200) }, () => `"${letter.repeat(200)}"`).join(" ");

const KINDS: Readonly<Record<string, Make>> = {
  host: (label, i, random) => ({
    lines: [`${label} ${random.pick([5, 60, 300, 86_400, 604_800])} A 192.0.2.${i}`, `${label} AAAA 2001:db8::${i}`],
    ask: [at(label)],
  }),
  many: (label, i) => ({ lines: addresses(label, 20 + i), ask: [at(label)] }),
  mail: (label, i) => ({
    lines: [`${label} MX 10 host${i}`, `${label} MX 20 mail.${HOSTILE_ZONE}.`],
    ask: [at(label)],
  }),
  short: (label, i) => ({
    lines: [`${label} TXT "v=spf1 -all" "${i}"`, `${label} SRV 1 2 3 host${i}`],
    ask: [at(label)],
  }),
  long: (label, i) => ({
    lines: [`${label} TXT ${text(200 * (1 + (i % 30)), "abc"[i % 3] ?? "a")}`],
    ask: [at(label)],
  }),
  odd: (label, i) => ({
    lines: [
      `${label} TYPE65280 \\# 4 0a0b0c${(i % 256).toString(16).padStart(2, "0")}`,
      `${label} TYPE65 \\# 3 000100`,
    ],
    ask: [at(label)],
  }),
  alias: (label, i, random) => ({
    lines: [
      `${label} ${random.pick([30, 300])} CNAME ${i === 0 ? "host0" : `${random.pick(["alias", "host", "wide"])}${i - 1}`}`,
    ],
    ask: [at(label)],
  }),
  dangling: (label, i) => ({ lines: [`${label} CNAME nowhere${i}`], ask: [at(label)] }),
  wide: (label, i) => ({
    lines: [`*.${label} A 192.0.2.${i}`, `${label} TXT "above"`, `under.${label} TXT "not the star"`],
    ask: [
      at(label),
      at(`x.${label}`),
      at(`y.x.${label}`),
      at(`under.${label}`),
      at(`z.under.${label}`),
      at(`*.${label}`),
    ],
  }),
  star: (label, i) => ({ lines: [`*.${label} CNAME host${i}`], ask: [at(label), at(`q.${label}`)] }),
  deep: (label, i) => ({
    lines: [`a.b.${label} A 192.0.2.${i}`],
    ask: [at(label), at(`b.${label}`), at(`a.b.${label}`), at(`c.b.${label}`)],
  }),
  tree: (label, i) => ({
    lines: [`${label} DNAME deep${i}`],
    ask: [at(label), at(`a.b.${label}`), at(`no.${label}`), at(`b.${label}`)],
  }),
  treeout: (label, i) => ({
    lines: [`${label} DNAME ${HOSTILE_ZONE}.`],
    ask: [at(`plain-${i}.${label}`), at(`nx-${i}.${label}`)],
  }),
  sub: (label, i) => ({
    lines: [`${label} NS ns.${label}`, `ns.${label} A 192.0.2.${i}`],
    ask: [at(label), at(`www.${label}`)],
  }),
  across: (label, i, random) => ({
    lines: [
      `${label} 200 CNAME ${random.pick(["plain", "nx", "slow", "trunc", "servfail-all", "big"])}-x${i}.${HOSTILE_ZONE}.`,
    ],
    ask: [at(label)],
  }),
  astray: (label, i) => ({ lines: [`${label} CNAME www${i}.of-nobody.invalid-zone.`], ask: [at(label)] }),
  beside: (label, i) => ({ lines: [`${label} CNAME ${i % 4 === 0 ? "no" : "www"}${i}.${BESIDE}.`], ask: [at(label)] }),
  cased: (label, i) => ({
    lines: [`CaSeD.${label} CNAME HoSt${i}`],
    ask: [at(`cased.${label}`), at(`CASED.${label}`)],
  }),
  dotted: (label, i) => ({
    lines: [`a\\.b.${label} A 192.0.2.${i}`, `\\000x\\032.${label} A 192.0.2.${i}`],
    ask: [at(`a\\.b.${label}`), at(`a.b.${label}`), at(`\\000x\\032.${label}`)],
  }),
  missing: (label) => ({ lines: [], ask: [at(label), at(`further.down.${label}`)] }),
};

/** The zones and the names to ask for: the same for the same seed. */
export function makeZones(random: Seeded): Made {
  const lines = [HEAD];
  const names: Known[] = [
    { name: ZONE, kind: "apex" },
    { name: `ns.${ZONE}`, kind: "apex" },
  ];
  for (const [kind, make] of Object.entries(KINDS)) {
    for (let i = 0; i < OF_EACH; i += 1) {
      const made = make(`${kind}${i}`, i, random);
      lines.push(...made.lines);
      names.push(...made.ask.map((name) => ({ name, kind })));
    }
  }
  const beside = Array.from({ length: OF_EACH }, (_, i) => `www${i} 100 A 192.0.2.${i}`);
  return { zone: `${lines.join("\n")}\n`, beside: `${HEAD}${beside.join("\n")}\n`, names };
}
