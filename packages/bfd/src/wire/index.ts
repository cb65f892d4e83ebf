export {
  CONTROL_PACKET_BYTES,
  type ControlPacket,
  decodeControlPacket,
  encodeControlPacket,
  type OwnPacket,
  VERSION,
} from "./control-packet.ts";
export type { Decoded } from "./decoded.ts";
export {
  ADMINISTRATIVELY_DOWN,
  DETECTION_EXPIRED,
  diagnosticName,
  NEIGHBOR_SIGNALED_DOWN,
  NO_DIAGNOSTIC,
} from "./diagnostic.ts";
export { BFD_STATES, type BfdState, stateCode, stateOf } from "./state.ts";
