import type { DatagramSocket, DatagramSocketOptions } from "./datagrams.ts";
import { DgramSocket } from "./dgram-socket.ts";
import { NativeSocket } from "./native-socket.ts";
import { loadNative } from "./native.ts";

/** Opens a socket with the best implementation that this machine has, or with node:dgram when that is asked for. */
export function openDatagramSocket(
  options: DatagramSocketOptions,
  implementation: "best" | "dgram" = "best",
): Promise<DatagramSocket> {
  const { native } = loadNative();
  return native === undefined || implementation === "dgram"
    ? DgramSocket.open(options)
    : NativeSocket.open(native, options);
}
