import { elapsed, seconds, SystemClock, type Clock, type Duration, type Instant } from "@stitch/clock";
import { networkInterfaces } from "node:os";
import type { Endpoint } from "./endpoint.ts";

/**
 * How long an interface that is not known is not looked for again: it may come, or get its address, at any time, and a
 * stranger must not make every datagram cost a walk over the interfaces.
 */
const LOOK_AGAIN: Duration = seconds(1);

/** Link-local addresses have the index of their interface in `scopeid`. */
type Interfaces = ReturnType<typeof networkInterfaces>;

/**
 * node:dgram names the zone of a link-local address by interface (fe80::1%eth0), endpoint records hold its index, and
 * sending takes the name again. Both ways are kept here; the table is read when a name is not in it, once a second at most.
 */
export class ZoneTable {
  readonly #clock: Clock;
  readonly #read: () => Interfaces;
  readonly #indexes = new Map<string, number>();
  #readAt: Instant | undefined;

  constructor(clock: Clock, read: () => Interfaces) {
    this.#clock = clock;
    this.#read = read;
  }

  /** 0 when the interface is not known. */
  indexOf(name: string): number {
    const known = this.#indexes.get(name);
    if (known !== undefined) return known;
    const now = this.#clock.now();
    if (this.#readAt !== undefined && elapsed(this.#readAt, now) < LOOK_AGAIN) return 0;
    this.#readAt = now;
    for (const [each, addresses] of Object.entries(this.#read())) {
      const linkLocal = addresses?.find((address) => address.family === "IPv6" && address.scopeid !== 0);
      if (linkLocal?.family === "IPv6") this.#indexes.set(each, linkLocal.scopeid ?? 0);
    }
    return this.#indexes.get(name) ?? 0;
  }

  nameOf(index: number): string | undefined {
    for (const [name, known] of this.#indexes) if (known === index && index !== 0) return name;
    return undefined;
  }
}

const zones = new ZoneTable(new SystemClock(), networkInterfaces);

/** The endpoint with the zone of its address, if any, as an index, which it may be already; 0 when the interface is not known. */
export function withZoneIndex(endpoint: Endpoint): Endpoint {
  const percent = endpoint.address.indexOf("%");
  if (percent < 0) return endpoint;
  const name = endpoint.address.slice(percent + 1);
  const index = /^\d+$/.test(name) ? Number(name) : zones.indexOf(name);
  return { address: `${endpoint.address.slice(0, percent)}%${index}`, port: endpoint.port };
}

/** The address with the zone, if any, as the name that the system wants; unchanged when the index is not known. */
export function withZoneName(address: string): string {
  const percent = address.indexOf("%");
  if (percent < 0) return address;
  const name = zones.nameOf(Number(address.slice(percent + 1)));
  return name === undefined ? address : `${address.slice(0, percent)}%${name}`;
}
