import { networkInterfaces } from "node:os";
import type { Endpoint } from "./endpoint.ts";

/**
 * node:dgram names the zone of a link-local address by interface (fe80::1%eth0), endpoint records hold its index, and
 * sending takes the name again. Both ways are kept here; the table is read once per interface name, so that no stranger
 * makes every datagram cost a walk over the interfaces.
 */
const indexes = new Map<string, number>();

/** The endpoint with the zone of its address, if any, as an index, which it may be already; 0 when the interface is not known. */
export function withZoneIndex(endpoint: Endpoint): Endpoint {
  const percent = endpoint.address.indexOf("%");
  if (percent < 0) return endpoint;
  const name = endpoint.address.slice(percent + 1);
  if (!indexes.has(name)) readInterfaces(name);
  return {
    address: `${endpoint.address.slice(0, percent)}%${indexes.get(name) || numberOf(name)}`,
    port: endpoint.port,
  };
}

/** The address with the zone, if any, as the name that the system wants; unchanged when the index is not known. */
export function withZoneName(address: string): string {
  const percent = address.indexOf("%");
  if (percent < 0) return address;
  const index = Number(address.slice(percent + 1));
  const name = nameOf(index);
  return name === undefined ? address : `${address.slice(0, percent)}%${name}`;
}

function numberOf(zone: string): number {
  return /^\d+$/.test(zone) ? Number(zone) : 0;
}

function nameOf(index: number): string | undefined {
  for (const [name, known] of indexes) if (known === index && index !== 0) return name;
  return undefined;
}

function readInterfaces(missing: string): void {
  indexes.set(missing, 0);
  for (const [name, addresses] of Object.entries(networkInterfaces())) {
    const linkLocal = addresses?.find((address) => address.family === "IPv6" && address.scopeid !== 0);
    if (linkLocal?.family === "IPv6") indexes.set(name, linkLocal.scopeid ?? 0);
  }
}
