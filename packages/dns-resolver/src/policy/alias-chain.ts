import { CLASS, TYPE } from "../wire/registry.ts";
import { HEADER_BYTES } from "../wire/header.ts";
import type { Message, RecordAt } from "../wire/message.ts";
import { isBelow, nameKey } from "../wire/name.ts";
import { u16 } from "../wire/octets.ts";

/**
 * The names of an answer, in lower case, in the order in which its aliases lead from one to the next, the name asked for
 * first. Whoever asks for type CNAME is led nowhere: the alias is what he wants to know. Of several aliases of one name the
 * first counts, as where the answer was read: with another a stranger would lead the lists elsewhere than the clients. Every
 * owner is expanded once, and no name is passed twice, so that 500 records of a stranger cost 500 steps.
 */
export function namesOf({ bytes, questionEnd, records }: Message): Uint8Array[] {
  const asked = u16(bytes, questionEnd - 4);
  const ends = new Set<string>();
  const aliases = new Map<string, RecordAt>();
  for (const record of records) {
    if (record.section !== 0 || record.class !== CLASS.IN) continue;
    if (record.type !== asked && record.type !== TYPE.CNAME) continue;
    const owner = nameKey(bytes, record.ownerAt);
    if (record.type === asked) ends.add(owner);
    else if (!aliases.has(owner)) aliases.set(owner, record);
  }
  const passed = new Set<string>();
  for (let name: string | undefined = nameKey(bytes, HEADER_BYTES); name !== undefined && !passed.has(name);) {
    passed.add(name);
    const alias: RecordAt | undefined = ends.has(name) ? undefined : aliases.get(name);
    name = alias === undefined ? undefined : nameKey(bytes, alias.dataAt);
  }
  return [...passed].map((name) => Buffer.from(name, "latin1"));
}

/** Aliases of `passed`, with the DNAMEs that they were made from (RFC 6672) and their signatures. */
export function aliasesOf({ bytes, records }: Message, passed: readonly Uint8Array[]): readonly RecordAt[] {
  const names = new Set(passed.map((name) => Buffer.from(name).toString("latin1")));
  const isAbove = (key: string): boolean => passed.some((name) => isBelow(name, Buffer.from(key, "latin1")));
  const answers = records
    .filter(({ section, class: recordClass }) => section === 0 && recordClass === CLASS.IN)
    .map((record) => ({ record, owner: nameKey(bytes, record.ownerAt) }));
  // By owner: 480 of one owner, each compared with every name, would cost more than all else that is done with an answer.
  const owners = new Set(answers.filter(({ record }) => record.type === TYPE.DNAME).map(({ owner }) => owner));
  const dnames = new Set([...owners].filter((owner) => isAbove(owner)));
  return answers
    .filter(({ record: { type }, owner }) => {
      if (type === TYPE.CNAME) return names.has(owner);
      if (type === TYPE.RRSIG) return names.has(owner) || dnames.has(owner);
      return type === TYPE.DNAME && dnames.has(owner);
    })
    .map(({ record }) => record);
}
