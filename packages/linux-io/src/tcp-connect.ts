import { closeSync } from "node:fs";
import { Socket } from "node:net";
import { milliseconds, type Clock, type Duration } from "@stitch/clock";
import { endpointRecord } from "./endpoint-record.ts";
import { ENDPOINT_BYTES, formatEndpoint, type Endpoint } from "./endpoint.ts";
import { loadNative, type NativeTcpOptions, type TcpState } from "./native.ts";

/** RFC 2385: the kernel takes keys of 1 to 80 octets. */
export const LONGEST_MD5_PASSWORD = 80;

/** A connection whose options must stand before it opens. */
export interface TcpConnectOptions {
  readonly peer: Endpoint;
  readonly clock: Clock;
  /** How long the attempt may take. */
  readonly timeout: Duration;
  /** Own address to connect from; port 0 is the kernel's choice. */
  readonly local?: Endpoint;
  /** TCP MD5 signature (RFC 2385). A wrong one looks like a peer that does not answer. */
  readonly md5Password?: string;
  /** Hop limit of what is sent; 255 for GTSM (RFC 5082). */
  readonly hopLimit?: number;
  /** Segments with a smaller hop limit are dropped by the kernel; 255 for a peer on the same link. */
  readonly leastHopLimit?: number;
  /** The whole octet: 192 is CS6, network control. */
  readonly trafficClass?: number;
  /** How long sent data may stay unacknowledged before the connection is given up (RFC 5482). */
  readonly userTimeout?: Duration;
}

/** An attempt that came to nothing: `code` is that of the system, ETIMEDOUT when `timeout` was over, ABORTED when given up. */
export class ConnectError extends Error {
  override readonly name = "ConnectError";
  readonly code: string;

  constructor(peer: Endpoint, code: string, why: string) {
    super(`cannot connect to tcp ${formatEndpoint(peer)}: ${why}`);
    this.code = code;
  }
}

/**
 * Connects with options that node:net cannot set. Resolves with a connected socket that nobody reads yet; rejects with
 * ConnectError. `signal` gives up. Needs the addon: `canConnectTcp` says whether it is there.
 */
export function connectTcp(options: TcpConnectOptions, signal?: AbortSignal): Promise<Socket> {
  const { peer, clock, timeout } = options;
  const loaded = loadNative();
  if (loaded.native === undefined) return Promise.reject(new ConnectError(peer, "ENOSYS", loaded.why));
  const { native } = loaded;
  return new Promise((resolve, reject) => {
    const fail = (code: string, why: string): void => {
      timer.cancel();
      signal?.removeEventListener("abort", aborted);
      reject(new ConnectError(peer, code, why));
    };
    const timer = clock.after("connect-timeout", timeout, () => {
      native.tcpClose(attempt);
      fail("ETIMEDOUT", `no answer within ${timeout} ms: a filter, a wrong MD5 password, or a dead host`);
    });
    const aborted = (): void => {
      native.tcpClose(attempt);
      fail("ABORTED", "given up");
    };
    let attempt: ReturnType<typeof native.tcpConnect>;
    try {
      attempt = native.tcpConnect(nativeOptions(options), (failure) => {
        if (failure !== null) return fail(codeOf(failure), failure.message);
        try {
          const socket = socketOf(native.tcpTake(attempt));
          timer.cancel();
          signal?.removeEventListener("abort", aborted);
          resolve(socket);
        } catch (refused) {
          fail(codeOf(refused), (refused as Error).message);
        }
      });
    } catch (failure) {
      fail(codeOf(failure), (failure as Error).message);
      return;
    }
    signal?.addEventListener("abort", aborted, { once: true });
    if (signal?.aborted === true) aborted();
  });
}

/** Whether this machine has the addon that `connectTcp` and `tcpState` need; a sentence when not. */
export function canConnectTcp(): true | string {
  const loaded = loadNative();
  return loaded.native === undefined ? loaded.why : true;
}

/** The descriptor is the socket's from here on; closed when node:net does not take it. */
function socketOf(fd: number): Socket {
  try {
    const socket = new Socket({ fd, readable: true, writable: true, allowHalfOpen: false });
    descriptors.set(socket, fd);
    return socket;
  } catch (failure) {
    closeSync(fd);
    throw failure;
  }
}

/** Descriptors of what `connectTcp` gave out; one that is closed may belong to somebody else. */
const descriptors = new WeakMap<Socket, number>();

/** TCP_INFO of a socket of `connectTcp`; undefined once it is closed. */
export function tcpState(socket: Socket): TcpState | undefined {
  const fd = descriptors.get(socket);
  return fd === undefined || socket.destroyed ? undefined : loadNative().native?.tcpState(fd);
}

function nativeOptions(options: TcpConnectOptions): NativeTcpOptions {
  const { peer, local, md5Password = "", hopLimit, leastHopLimit, trafficClass, userTimeout } = options;
  return {
    peer: recordOf(peer),
    local: local === undefined ? new Uint8Array(ENDPOINT_BYTES) : recordOf(local),
    md5Password: new TextEncoder().encode(md5Password),
    hopLimit: hopLimit ?? 0,
    leastHopLimit: leastHopLimit ?? 0,
    trafficClass: trafficClass ?? -1,
    userTimeout: userTimeout ?? milliseconds(0),
  };
}

function recordOf(endpoint: Endpoint): Uint8Array {
  const record = endpointRecord(endpoint);
  if (record !== undefined) return record;
  throw Object.assign(new Error("an IP address and a port are needed"), { code: "EINVAL" });
}

function codeOf(failure: unknown): string {
  return (failure as NodeJS.ErrnoException).code ?? "unknown";
}
