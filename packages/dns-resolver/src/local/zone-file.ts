import type { Problem } from "@stitch/config";
import { formatName, isBelow } from "../wire/name.ts";
import { TYPE } from "../wire/registry.ts";
import { hasCnameConflict, LocalZone, type LocalRecord } from "./local-zone.ts";
import { parseTtl, relative, ZONE_TYPES, type Field } from "./rdata-text.ts";
import { MOST_PROBLEMS } from "./read-text.ts";
import { atOnce, type Steps } from "../sliced.ts";
import { zoneEntries, type Entry } from "./zone-lexer.ts";

const ROOT = Uint8Array.of(0);
/** A record of a name, and where it stood. */
interface Placed {
  readonly line: number;
  readonly owner: Uint8Array;
  readonly record: LocalRecord;
}

interface State {
  origin: Uint8Array;
  owner: Uint8Array | undefined;
  ttl: number | undefined;
  readonly records: Placed[];
  readonly problems: Problem[];
}

export interface ParsedZone {
  readonly zone?: LocalZone;
  readonly problems: readonly Problem[];
}

/** Reads a zone file (RFC 1035 section 5, without $INCLUDE and $GENERATE). Its apex is where its SOA record is. */
export function parseZone(text: string): ParsedZone {
  return atOnce(zoneSteps(text));
}

/** The same, entry by entry; of a file of another kind no more is kept than its first problems. */
export function* zoneSteps(text: string): Steps<ParsedZone> {
  const state: State = { origin: ROOT, owner: undefined, ttl: undefined, records: [], problems: [] };
  for (const entry of zoneEntries(text)) {
    yield;
    if ("message" in entry) report(state, entry.line, entry.message);
    else readEntry(entry, state);
    if (state.problems.length >= MOST_PROBLEMS) return { problems: state.problems };
  }
  const soas = state.records.filter(({ record }) => record.type === TYPE.SOA);
  const [soa, second] = soas;
  if (second !== undefined) report(state, second.line, "a second SOA record: one zone has one");
  if (soa === undefined)
    report(state, 1, "no SOA record: the zone's name and the TTL of its negative answers come from it");
  if (soa === undefined || state.problems.length > 0) return { problems: state.problems };
  const zone = yield* buildZone(soa, state);
  return state.problems.length > 0 ? { problems: state.problems } : { zone, problems: [] };
}

function* buildZone(soa: Placed, state: State): Steps<LocalZone> {
  const zone = new LocalZone(soa.owner, soa.record);
  for (const { line, owner, record } of state.records) {
    yield;
    const message = isBelow(owner, zone.apex)
      ? addTo(zone, owner, record)
      : `${formatName(owner)} is not in the zone ${formatName(zone.apex)}`;
    if (message !== undefined) report(state, line, message);
  }
  for (const { line, owner, record } of state.records) {
    yield;
    const node = record.type === TYPE.CNAME ? zone.node(owner) : undefined;
    if (node !== undefined && hasCnameConflict(node)) {
      report(state, line, `${formatName(owner)} has a CNAME and other records: it may have only the CNAME`);
    }
  }
  return zone;
}

function addTo(zone: LocalZone, owner: Uint8Array, record: LocalRecord): string | undefined {
  if (record.type === TYPE.NS && owner.length > zone.apex.length) {
    return `${formatName(owner)} has NS records below the zone's own name: delegations are not followed; give it a route`;
  }
  return zone.add(owner, record)
    ? undefined
    : `${formatName(owner)} has more records of one type than an answer can hold`;
}

function report(state: State, line: number, message: string): void {
  state.problems.push({ path: "", line, message });
}

function readEntry(entry: Entry, state: State): void {
  const [first] = entry.fields;
  if (first?.text.startsWith("$") === true && !first.quoted && !entry.indented) readDirective(entry, state);
  else readRecord(entry, state);
}

function readDirective({ line, fields }: Entry, state: State): void {
  const [directive, argument] = fields.map(({ text }) => text);
  if (directive === "$ORIGIN") {
    const origin = relative(argument ?? "", state.origin);
    if (origin === undefined) report(state, line, `$ORIGIN ${argument ?? ""} is not a name`);
    else state.origin = origin;
  } else if (directive === "$TTL") {
    const ttl = parseTtl(argument ?? "");
    if (ttl === undefined) report(state, line, `$TTL ${argument ?? ""} is not a number of seconds, or 1h, 2d`);
    else state.ttl = ttl;
  } else report(state, line, `${directive ?? ""} is not supported: use $ORIGIN and $TTL`);
}

/** [owner] [TTL] [class] type data, TTL and class in either order. */
function readRecord({ line, indented, fields }: Entry, state: State): void {
  const rest = [...fields];
  if (!indented) {
    const text = rest.shift()?.text ?? "";
    state.owner = relative(text, state.origin);
    if (state.owner === undefined) report(state, line, `${JSON.stringify(text)} is not a name`);
  }
  const { owner } = state;
  const ttl = readTtlAndClass(rest);
  const name = rest.shift()?.text ?? "";
  const known = ZONE_TYPES[name.toUpperCase()];
  if (known === undefined) {
    return report(
      state,
      line,
      `${JSON.stringify(name)} is not a type that is served here: ${Object.keys(ZONE_TYPES).join(", ")}`,
    );
  }
  if (owner === undefined) {
    if (indented) report(state, line, "begins with a blank, but there is no name before it to go on with");
    return;
  }
  const data = known.read(rest, state.origin);
  const seconds = ttl ?? state.ttl ?? soaMinimum(known.type, data);
  if (typeof data === "string") report(state, line, data);
  else if (seconds === undefined) report(state, line, "no TTL: write $TTL 3600 at the top");
  else {
    state.ttl ??= soaMinimum(known.type, data);
    state.records.push({ line, owner, record: { type: known.type, ttl: seconds, data } });
  }
}

/** RFC 1035's own default, for files older than $TTL (RFC 2308 section 4). */
function soaMinimum(type: number, data: Uint8Array | string): number | undefined {
  if (type !== TYPE.SOA || typeof data === "string") return undefined;
  return Buffer.from(data).readUInt32BE(data.length - 4);
}

function readTtlAndClass(rest: Field[]): number | undefined {
  let ttl: number | undefined;
  for (let i = 0; i < 2; i += 1) {
    const text = rest[0]?.text ?? "";
    const number = parseTtl(text);
    if (number !== undefined && ttl === undefined) ttl = number;
    else if (text.toUpperCase() !== "IN") break;
    rest.shift();
  }
  return ttl;
}
