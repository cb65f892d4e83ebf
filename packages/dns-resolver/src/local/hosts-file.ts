import type { Problem } from "@stitch/config";
import { parseIPv4, parseIPv6 } from "@stitch/linux-io";
import { isBelow, parseName } from "../wire/name.ts";
import { TYPE } from "../wire/registry.ts";
import { linesOf, LONGEST_LINE } from "./lines.ts";
import { LocalZone, type LocalRecord } from "./local-zone.ts";
import { MOST_PROBLEMS } from "./read-text.ts";
import { atOnce, type Steps } from "../sliced.ts";
import { reverseName, soaFor } from "./built-in.ts";

/** Built in (RFC 6761 section 6.3); every system's hosts file names it, and not always with both addresses. */
const LOCALHOST = parseName("localhost") ?? Uint8Array.of(0);
/** Seconds that clients may keep a hosts entry. */
const HOSTS_TTL = 300;
/**
 * Names of all hosts files, those of addresses in reverse included. Each takes some 2 KB in every worker: a blocklist of
 * 400,000 names, which is written like a hosts file, would take more than a gigabyte. As a policy it takes 40 bytes a name, once.
 */
const MOST_NAMES = 100_000;
const TOO_MANY = `with this name the hosts files have more than ${MOST_NAMES} names, those of addresses included: a list of such a length belongs in dns.policies, with kind: hosts`;

/**
 * Reads hosts files: address, name, aliases. Every name becomes a place of its own (what is below it is not ours), and
 * the first name of an address is what the address is called in reverse.
 */
export class HostsTable {
  readonly zones = new Map<string, LocalZone>();

  /** Adds what `text` says; returns what is wrong with it. */
  read(text: string): Problem[] {
    return atOnce(this.reading(text));
  }

  /** The same, line by line. */
  *reading(text: string): Steps<Problem[]> {
    const problems: Problem[] = [];
    for (const [line, whole] of linesOf(text)) {
      yield;
      const message = this.#line(whole);
      if (message !== undefined) problems.push({ path: "", line, message });
      if (message === TOO_MANY || problems.length >= MOST_PROBLEMS) break;
    }
    return problems;
  }

  #line(whole: string): string | undefined {
    const [text = ""] = whole.split("#", 1);
    if (text.length > LONGEST_LINE) return `is longer than ${LONGEST_LINE} characters`;
    const [address = "", ...names] = text.trim().split(/\s+/);
    return address === "" ? undefined : this.#entry(address, names);
  }

  #entry(address: string, names: readonly string[]): string | undefined {
    const [literal = ""] = address.split("%");
    const data = literal.includes(":") ? parseIPv6(literal) : parseIPv4(literal);
    if (data === undefined) return `${JSON.stringify(address)} is not an IPv4 or IPv6 address`;
    if (names.length === 0) return `${address} has no name behind it`;
    const record: LocalRecord = { type: data.length === 4 ? TYPE.A : TYPE.AAAA, ttl: HOSTS_TTL, data };
    const wires: Uint8Array[] = [];
    for (const name of names) {
      const wire = parseName(name);
      if (wire === undefined) return `${JSON.stringify(name)} is not a host name`;
      wires.push(wire);
    }
    const served = wires.filter((wire) => !isBelow(wire, LOCALHOST));
    if (!served.every((wire) => this.#zone(wire).add(wire, record))) {
      return `${names.join(" ")} has more addresses than an answer can hold`;
    }
    const [first] = wires;
    const reverse = reverseName(data);
    const pointed = this.#zone(reverse);
    const known = pointed.node(reverse)?.has(TYPE.PTR) === true;
    if (first !== undefined && !known) pointed.add(reverse, { type: TYPE.PTR, ttl: HOSTS_TTL, data: first });
    return this.zones.size > MOST_NAMES ? TOO_MANY : undefined;
  }

  #zone(name: Uint8Array): LocalZone {
    const key = Buffer.from(name).toString("latin1").toLowerCase();
    let zone = this.zones.get(key);
    if (zone === undefined) {
      zone = new LocalZone(name, soaFor(name));
      this.zones.set(key, zone);
    }
    return zone;
  }
}
