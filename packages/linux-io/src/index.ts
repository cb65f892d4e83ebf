export { addAddress, BindError } from "./bind-error.ts";
export type {
  Arrivals,
  BatchHandler,
  DatagramSocket,
  DatagramSocketOptions,
  Lacking,
  Outgoing,
  Replies,
  SocketCounters,
} from "./datagrams.ts";
export { preferHugePages } from "./huge-pages.ts";
export { readKernelClock } from "./kernel-clock.ts";
export { openDatagramSocket } from "./open-datagrams.ts";
export { giveWay, serveFirst, setRealtime } from "./scheduling.ts";
export { loadNative, type KernelClock, type TcpState } from "./native.ts";
export { claimAddress, kernelDropsOf } from "./shared-address.ts";
export { openSocketSet, type SetArrivals, type SocketSet, type SocketSetOptions } from "./socket-set.ts";
export {
  canConnectTcp,
  ConnectError,
  connectTcp,
  LONGEST_MD5_PASSWORD,
  tcpState,
  type TcpConnectOptions,
} from "./tcp-connect.ts";
export { SEND_ERROR, TRUNCATED } from "./datagrams.ts";
export { endpointRecord } from "./endpoint-record.ts";
export type { Endpoint } from "./endpoint.ts";
export {
  ENDPOINT_BYTES,
  endpointPort,
  formatEndpoint,
  isWildcard,
  ipv4Text,
  ipv6Text,
  parseIPv4,
  parseIPv6,
  readEndpoint,
  writeEndpoint,
} from "./endpoint.ts";
