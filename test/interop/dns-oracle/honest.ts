import { a, cname, opt, soa, write, type Resource, type Written } from "./message.ts";
import { HOSTILE_ZONE, hash } from "./names.ts";
import { TYPE, wireName } from "./wire.ts";

/** One question as it came to the hostile server. */
export interface Asked {
  readonly id: number;
  /** Lower case. */
  readonly name: string;
  /** Name, type and class as they came. */
  readonly question: Buffer;
  readonly type: number;
  readonly edns: boolean;
  /** Which of the two addresses was asked. */
  readonly place: 0 | 1;
  readonly tcp: boolean;
  /** How often this asker has put this question to this address over UDP. */
  readonly before: number;
}

export interface Said {
  readonly bytes: Buffer;
  readonly afterMs?: number;
  /** From the other address, which was not asked. */
  readonly elsewhere?: boolean;
}

/** What is said to a question: nothing is silence, over TCP the end of the connection. */
export type Behaviour = (asked: Asked) => readonly Said[];

export const RESPONSE = 0x8180;
const AUTHORITATIVE = 0x8400;
export const TC = 0x0200;

/** Records as the honest have them; of types without any, none. */
export function records({ name, type }: Asked): Resource[] {
  const of = hash(name);
  if (type === TYPE.A) return [a("@", of), ...(of % 3 === 0 ? [a("@", of + 1)] : [])];
  if (type === TYPE.AAAA)
    return [
      {
        owner: "@",
        type,
        ttl: 300,
        data: Buffer.from(`20010db8${"0".repeat(16)}${of.toString(16).padStart(8, "0")}`, "hex"),
      },
    ];
  if (type === TYPE.TXT) return [{ owner: "@", type, ttl: 120, data: Buffer.from([5, ...Buffer.from("plain")]) }];
  if (type === TYPE.MX)
    return [{ owner: "@", type, ttl: 120, data: Buffer.concat([Buffer.of(0, 5), wireName(`mx.${HOSTILE_ZONE}`)]) }];
  return [];
}

/** The honest answer, with something of it changed. Half of the names are answered as by an authority, half as by a resolver. */
export function answer(asked: Asked, changed: Partial<Written> = {}): Buffer {
  const { id, question, name, edns } = asked;
  const answers = changed.answers ?? records(asked);
  const isNo = answers.length === 0;
  return write({
    id,
    question,
    flags: hash(name) % 2 === 0 ? RESPONSE : AUTHORITATIVE,
    authorities: isNo ? [soa()] : [],
    additionals: edns ? [opt()] : [],
    ...changed,
    answers,
  });
}

export const say = (...messages: readonly Buffer[]): Said[] => messages.map((bytes) => ({ bytes }));
export const honest = (asked: Asked): Said[] => say(answer(asked));

/** More addresses than fit a datagram. */
export function bigSet({ type, name }: Asked): Resource[] {
  return type === TYPE.A ? Array.from({ length: 90 }, (_, i) => a("@", hash(name) + i)) : [];
}

/** X, b.X, c.X: from whichever of them is asked for. */
export function chain(asked: Asked): Resource[] {
  const [first = "", ...rest] = asked.name.split(".");
  const base = first === "b" || first === "c" ? rest.join(".") : asked.name;
  const [b, c] = [`b.${base}`, `c.${base}`];
  const all = [cname(base, b), cname(b, c), ...records({ ...asked, name: c }).map((each) => ({ ...each, owner: c }))];
  const left = all.slice(first === "c" ? 2 : first === "b" ? 1 : 0);
  return asked.type === TYPE.CNAME ? left.slice(0, 1) : left; // who asks for the alias itself is not led on
}
