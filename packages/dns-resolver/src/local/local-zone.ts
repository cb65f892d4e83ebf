import { isBelow, lowerName, parentName } from "../wire/name.ts";
import { TYPE } from "../wire/registry.ts";

export interface LocalRecord {
  readonly type: number;
  /** Seconds. */
  readonly ttl: number;
  readonly data: Uint8Array;
}

/** Owner as a pointer, type, class, TTL, length. */
const RECORD_BYTES = 12;
/** Of one name and type: with aliases before them and the question they must fit in a message of 65,535. */
const MOST_SET_BYTES = 60_000;
const ASTERISK = 0x2a;

/** Records of one name by type. */
export type Node = Map<number, LocalRecord[]>;

/** Data that this resolver answers for by itself: the names at and below `apex`, all of them. */
export class LocalZone {
  readonly apex: Uint8Array;
  /** Its SOA record, for answers that say no (RFC 2308 section 3). */
  readonly soa: LocalRecord;
  /** Answers for every name below the apex, where the zone is made so (RFC 6761 section 6.3: localhost). */
  readonly wildcard: Node | undefined;
  readonly #nodes = new Map<string, Node>();
  #hasWildcards = false;

  constructor(apex: Uint8Array, soa: LocalRecord, wildcard?: Node) {
    this.apex = lowerName(apex);
    this.soa = soa;
    this.wildcard = wildcard;
    this.add(this.apex, soa);
  }

  /**
   * Adds a record; the names between it and the apex exist from then on, though they may have none (RFC 8020). False when
   * no answer could hold it beside the others of its name and type.
   */
  add(name: Uint8Array, record: LocalRecord): boolean {
    const node = this.#reach(lowerName(name));
    const records = node.get(record.type) ?? [];
    if (records.some((other) => Buffer.compare(other.data, record.data) === 0)) return true;
    const bytes = records.reduce(
      (sum, { data }) => sum + RECORD_BYTES + data.length,
      RECORD_BYTES + record.data.length,
    );
    if (bytes > MOST_SET_BYTES) return false;
    node.set(record.type, records);
    records.push(record);
    return true;
  }

  /** What answers for `name`: its own node, or that of the wildcard below its closest encloser (RFC 4592 section 3.3.1). */
  node(name: Uint8Array): Node | undefined {
    const own = this.#nodes.get(keyOf(lowerName(name))) ?? this.wildcard;
    if (own !== undefined || !this.#hasWildcards) return own;
    let encloser = parentName(lowerName(name));
    while (!this.#nodes.has(keyOf(encloser)) && encloser.length > this.apex.length) encloser = parentName(encloser);
    return this.#nodes.get(keyOf(Uint8Array.from([1, ASTERISK, ...encloser])));
  }

  get names(): number {
    return this.#nodes.size;
  }

  holds(name: Uint8Array): boolean {
    return isBelow(name, this.apex);
  }

  #reach(name: Uint8Array): Node {
    let node = this.#nodes.get(keyOf(name));
    if (node !== undefined) return node;
    node = new Map();
    this.#nodes.set(keyOf(name), node);
    this.#hasWildcards ||= name[0] === 1 && name[1] === ASTERISK;
    if (name.length > this.apex.length) this.#reach(parentName(name));
    return node;
  }
}

function keyOf(name: Uint8Array): string {
  return Buffer.from(name).toString("latin1");
}

/** A CNAME has no other data beside it (RFC 1034 section 3.6.2). */
export function hasCnameConflict(node: Node): boolean {
  return node.has(TYPE.CNAME) && (node.size > 1 || (node.get(TYPE.CNAME)?.length ?? 0) > 1);
}
