export { decodeServerReply, encodeClientRequest, type ServerReply } from "./client.ts";
export type { Decoded, FormatError } from "./decoded.ts";
export type { Header, Leap } from "./packet.ts";
export {
  decodeHeader,
  encodeHeader,
  HEADER_BYTES,
  LEAP_UNKNOWN,
  MODE_CLIENT,
  MODE_SERVER,
  referenceIdOf,
} from "./packet.ts";
export type { Timestamp } from "./timestamp.ts";
export { secondsOfShort, shortOf, timestampOf, wallMicrosOf, ZERO_TIMESTAMP } from "./timestamp.ts";
