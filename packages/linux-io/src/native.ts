import { createRequire } from "node:module";

/** Whatever `udpOpen` and its like return: only good for giving back. */
export type Handle = object & { readonly __native: never };

/** The arrays of an ArrivalSlab, by the names that the addon looks for. */
export interface NativeArrivals {
  readonly capacity: number;
  readonly slotSize: number;
  /** Holds all the arrays; watched, so that nothing is written once it has been transferred. */
  readonly buffer: ArrayBuffer;
  readonly bytes: Uint8Array;
  readonly lengths: Int32Array;
  readonly flags: Uint8Array;
  readonly peers: Uint8Array;
  readonly locals: Uint8Array;
  readonly hopLimits: Uint8Array;
  readonly receivedSeconds: Uint32Array;
  readonly receivedNanoseconds: Uint32Array;
}

export interface NativeUdpOptions {
  /** Wanted address; overwritten with the one that was bound. */
  readonly local: Uint8Array;
  /** Empty record: not connected. */
  readonly peer: Uint8Array;
  readonly arrivals: NativeArrivals;
  /** Holds the two arrays; watched too. */
  readonly replyBuffer: ArrayBuffer;
  readonly replyBytes: Uint8Array;
  readonly replyLengths: Int32Array;
  readonly replySlotSize: number;
  readonly counters: Float64Array;
  /** -1: none. */
  readonly stampAt: number;
  readonly receiveBuffer: number;
  /** 0: the system's. */
  readonly hopLimit: number;
  /** -1: the system's. */
  readonly trafficClass: number;
  readonly reusePort: boolean;
  readonly freeBind: boolean;
  readonly receiveTime: boolean;
  readonly receiveHopLimit: boolean;
  readonly receiveLocal: boolean;
  /** Written by udpOpen: the receive buffer as granted, bytes. */
  granted: number;
}

export interface NativeTcpOptions {
  readonly peer: Uint8Array;
  readonly local: Uint8Array;
  readonly md5Password: Uint8Array;
  readonly hopLimit: number;
  readonly leastHopLimit: number;
  readonly trafficClass: number;
  /** Milliseconds; 0: the system's. */
  readonly userTimeout: number;
}

/** What native/addon.c exports; the comments there say what each does. Errors are thrown with code, errno and syscall. */
export interface Native {
  udpOpen(options: NativeUdpOptions, handler: (count: number) => void): Handle;
  udpReply(socket: Handle, end: number): void;
  udpSend(
    socket: Handle,
    peers: Uint8Array,
    peerAt: number,
    locals: Uint8Array,
    localAt: number,
    bytes: Uint8Array,
  ): void;
  udpSendMany(
    socket: Handle,
    bytes: Uint8Array,
    slotSize: number,
    lengths: Int32Array,
    peers: Uint8Array,
    count: number,
  ): number;
  udpDrops(socket: Handle): number;
  udpClose(socket: Handle, closed: () => void): void;
  setCreate(
    options: { readonly most: number; readonly arrivals: NativeArrivals; readonly sockets: Int32Array },
    handler: (count: number) => void,
  ): Handle;
  setOpen(set: Handle, place: number, local: Uint8Array, peer: Uint8Array): number;
  setSend(set: Handle, place: number, bytes: Uint8Array): number;
  setCloseSocket(set: Handle, place: number): void;
  setClose(set: Handle, closed: () => void): void;
  tcpConnect(options: NativeTcpOptions, done: (failure: Error | null) => void): Handle;
  tcpTake(attempt: Handle): number;
  tcpClose(attempt: Handle): void;
  tcpState(fd: number): TcpState | undefined;
  kernelClock(): KernelClock;
  /** 0 or errno. */
  threadRealtime(on: 0 | 1): number;
  /** 0 or errno. */
  threadSlice(microseconds: number): number;
  /** 0 or errno. */
  hugePages(bytes: Uint8Array): number;
}

/** TCP_INFO, as far as the owner of a session can use it. */
export interface TcpState {
  /** Linux: 1 is ESTABLISHED. */
  readonly state: number;
  readonly unacknowledged: number;
  readonly retransmits: number;
  readonly roundTripMicros: number;
  readonly bytesAcknowledged: number;
  readonly notSentBytes: number;
}

/** adjtimex(2), read: the kernel's clock discipline, in the kernel's units. */
export interface KernelClock {
  /** 0 TIME_OK ... 5 TIME_ERROR (not synchronised). */
  readonly state: number;
  /** Bit set STA_*. */
  readonly status: number;
  /** Microseconds, or nanoseconds with STA_NANO (0x2000) in `status`. */
  readonly offset: number;
  /** Parts per million, scaled by 2^16. */
  readonly frequency: number;
  /** Microseconds. */
  readonly maximumError: number;
  /** Microseconds. */
  readonly estimatedError: number;
  /** Microseconds. */
  readonly precision: number;
  /** Seconds between TAI and UTC; 0 where nobody has told the kernel. */
  readonly tai: number;
}

/** The addon and, where there is none, a sentence that says why and what to do. */
export type NativeLoad = { readonly native: Native } | { readonly native: undefined; readonly why: string };

let loaded: NativeLoad | undefined;

/** Loads the addon once per thread. Never throws. */
export function loadNative(): NativeLoad {
  loaded ??= load();
  return loaded;
}

/** Which file it is stands in package.json: with `node --conditions=sanitized` the one that is built for the sanitizers. */
function load(): NativeLoad {
  if (process.platform !== "linux") {
    return { native: undefined, why: "the native batches are for Linux; datagrams go through node:dgram here" };
  }
  try {
    return fitting(createRequire(import.meta.url)("#addon") as Partial<Native>);
  } catch (failure) {
    return { native: undefined, why: reasonOf(failure as NodeJS.ErrnoException) };
  }
}

/** Every function of it: a build from before a `git pull` lacks those that have come since. */
const FUNCTIONS: Readonly<Record<keyof Native, true>> = {
  udpOpen: true,
  udpReply: true,
  udpSend: true,
  udpSendMany: true,
  udpDrops: true,
  udpClose: true,
  setCreate: true,
  setOpen: true,
  setSend: true,
  setCloseSocket: true,
  setClose: true,
  tcpConnect: true,
  tcpTake: true,
  tcpClose: true,
  tcpState: true,
  kernelClock: true,
  threadRealtime: true,
  threadSlice: true,
  hugePages: true,
};

/** The addon, if it has all that is called; one that has less would fail in the midst of the work. */
export function fitting(addon: Partial<Native>): NativeLoad {
  const missing = Object.keys(FUNCTIONS).filter((name) => typeof addon[name as keyof Native] !== "function");
  if (missing.length === 0) return { native: addon as Native };
  return { native: undefined, why: "the addon is older than this code; build it again with `npm run build:addon`" };
}

function reasonOf({ code, message }: NodeJS.ErrnoException): string {
  return code === "MODULE_NOT_FOUND"
    ? "the addon is not built; build it with `npm run build:addon` (needs a C compiler, make and Python)"
    : `the addon cannot be loaded: ${message}`;
}
