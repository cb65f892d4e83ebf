import type { DatagramSocket, DatagramSocketOptions } from "./datagrams.ts";
import { DgramSocket } from "./dgram-socket.ts";

export { addAddress, BindError } from "./bind-error.ts";
export type {
  Arrivals,
  BatchHandler,
  DatagramSocket,
  DatagramSocketOptions,
  Lacking,
  Replies,
  SocketCounters,
} from "./datagrams.ts";
export { TRUNCATED } from "./datagrams.ts";
export type { Endpoint } from "./endpoint.ts";
export {
  ENDPOINT_BYTES,
  endpointPort,
  formatEndpoint,
  ipv4Text,
  ipv6Text,
  parseIPv4,
  parseIPv6,
  readEndpoint,
  writeEndpoint,
} from "./endpoint.ts";

/** Opens a socket with the best implementation that this machine has. */
export function openDatagramSocket(options: DatagramSocketOptions): Promise<DatagramSocket> {
  return DgramSocket.open(options);
}
