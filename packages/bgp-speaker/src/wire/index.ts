export { addressFamily, type Family, formatAddress, parseAddress } from "./address.ts";
export { asSequence, type AsPathSegment, flatten, mergeAs4Path } from "./as-path.ts";
export {
  type AttributeProblem,
  decodeAttributes,
  encodeAttributes,
  type PathAttributes,
  type Sender,
} from "./attribute.ts";
export { type Capabilities, capabilityName, decodeCapabilities, NO_CAPABILITIES } from "./capability.ts";
export {
  BLACKHOLE,
  communityOf,
  formatCommunity,
  formatLargeCommunity,
  GRACEFUL_SHUTDOWN,
  type LargeCommunity,
  sortedCommunities,
  sortedLargeCommunities,
} from "./community.ts";
export { type Decoded, type FormatError } from "./decoded.ts";
export {
  type ExtendedCommunity,
  extendedCommunity,
  type ExtendedCommunityKind,
  formatExtendedCommunity,
  sortedExtendedCommunities,
} from "./extended-community.ts";
export { encodeMessage, type Framed, Framer, HEADER_BYTES, MAX_MESSAGE_BYTES, type MessageType } from "./header.ts";
export { encodeKeepalive } from "./keepalive.ts";
export type { MpReach, MpUnreach } from "./multiprotocol.ts";
export {
  ADMINISTRATIVE_SHUTDOWN,
  BFD_DOWN,
  CEASE,
  CONNECTION_COLLISION,
  decodeNotification,
  decodeShutdownText,
  encodeNotification,
  encodeShutdownText,
  MAX_SHUTDOWN_TEXT_BYTES,
  type Notification,
  notificationName,
  OUT_OF_RESOURCES,
} from "./notification.ts";
export { AS_TRANS, decodeOpen, encodeOpen, type Open, openAsn } from "./open.ts";
export { canonicalPrefix, formatPrefix, parsePrefix, type Prefix } from "./prefix.ts";
export { decodeRouteRefresh, encodeRouteRefresh, type RefreshPart, type RouteRefresh } from "./route-refresh.ts";
export {
  decodeUpdate,
  encodeAnnouncements,
  encodeEndOfRib,
  encodeUpdate,
  encodeWithdrawals,
  endOfRib,
  type Update,
} from "./update.ts";
