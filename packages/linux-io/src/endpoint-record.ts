import { ENDPOINT_BYTES, writeEndpoint, type Endpoint } from "./endpoint.ts";
import { withZoneIndex } from "./zone.ts";

/** Otherwise whoever takes it cuts it to 16 bits, which is another port. */
export function isPort(port: number): boolean {
  return port >>> 0 === port && port <= 65_535;
}

/** A new record of `endpoint`, the zone of its address by index; undefined when it is not an IP literal and a port. */
export function endpointRecord(endpoint: Endpoint): Uint8Array | undefined {
  const record = new Uint8Array(ENDPOINT_BYTES);
  return isPort(endpoint.port) && writeEndpoint(withZoneIndex(endpoint), record, 0) ? record : undefined;
}
