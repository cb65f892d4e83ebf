export { PeerUnavailable } from "./apt.ts";
export { isPeerName, type PeerFacts, type PeerName, peerNames } from "./catalogue.ts";
export { isAlive, withLock } from "./lock.ts";
export {
  deleteNamespace,
  makeNamespace,
  type Namespace,
  namespacesUnavailable,
  sweepNamespaces,
  withNamespace,
} from "./namespace.ts";
export { type Availability, type FetchOptions, type Peer, peer, peerAvailability, type Progress } from "./peer.ts";
export { inPrivateEtc, type PrivateEtc, privateEtcScript, quote } from "./private-etc.ts";
export { proveRuns } from "./prove.ts";
export { clockStepped, clockStepReference, withoutClockAccess } from "./time-daemon.ts";
