export { MAX_WATCHED, MAX_WATCHED_ALL, type ReceivedPath } from "./adj-rib-in.ts";
export type { Unsendable } from "./adj-rib-out.ts";
export {
  type Advertisement,
  MAX_ADVERTISEMENTS,
  MAX_COMMUNITIES,
  MAX_PREPEND,
  type NextHops,
} from "./advertisement.ts";
export { UnsettableOptionError } from "./connect-target.ts";
export { type Dialer, PLAIN_DIALER } from "./dialer.ts";
export type { SessionState } from "./fsm.ts";
export type { Lag } from "./lag-meter.ts";
export { CLOSE_WAIT, MAX_PENDING_BYTES } from "./link.ts";
export { BgpListener, type ListenerOptions, type ListenerPeer, MAX_SESSIONS } from "./listener.ts";
export { DEFAULT_HOLD_TIME, MAX_HOLD_TIME, MIN_HOLD_TIME } from "./negotiate.ts";
export { type PathOrigin, pathOrigin } from "./path-origin.ts";
export {
  IGNORED_REASONS,
  type IgnoredReason,
  SESSION_REASONS,
  type SessionReason,
  UNSENDABLE_REASONS,
  type UnsendableReason,
} from "./reasons.ts";
export { REFRESH_END_WAIT, REFRESH_INTERVAL } from "./route-exchange.ts";
export { BgpSession } from "./session.ts";
export { CONNECT_TIMEOUT, OPEN_WAIT, STALL_GRACE } from "./session-timers.ts";
export {
  BGP_PORT,
  type LocalOptions,
  type PeerOptions,
  type SessionEvent,
  type SessionOptions,
} from "./session-options.ts";
export type { NotificationView, SessionStatus, Traffic } from "./status.ts";
export { TcpTransport } from "./tcp-transport.ts";
export {
  type Connection,
  type ConnectionEvents,
  type ConnectTarget,
  type Endpoint,
  type Listening,
  SOCKET_OPTIONS,
  type SocketOption,
  type Transport,
} from "./transport.ts";
export { addressFamily, type Family } from "./wire/address.ts";
export {
  BLACKHOLE,
  communityOf,
  formatCommunity,
  formatLargeCommunity,
  GRACEFUL_SHUTDOWN,
  type LargeCommunity,
} from "./wire/community.ts";
export {
  type ExtendedCommunity,
  extendedCommunity,
  type ExtendedCommunityKind,
  formatExtendedCommunity,
} from "./wire/extended-community.ts";
export { MAX_SHUTDOWN_TEXT_BYTES, notificationName } from "./wire/notification.ts";
export { formatPrefix, parsePrefix, type Prefix } from "./wire/prefix.ts";
