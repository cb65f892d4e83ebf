import { connect } from "node:net";
import type { HostPort } from "@stitch/config";
import { passed, type PollResult, type Probe } from "./observer.ts";

export interface TcpCheck {
  readonly target: HostPort;
  readonly localAddress: string | undefined;
}

/** Passes when the connection is made. It proves that the kernel listens for a process, not that the process lives. */
export function tcpProbe({ target: { address, port }, localAddress }: TcpCheck): Probe {
  const from = localAddress === undefined ? {} : { localAddress };
  return (signal) =>
    new Promise<PollResult>((resolve, reject) => {
      const socket = connect({ host: address, port, ...from });
      const abandon = (): void => void socket.destroy(new Error("given up"));
      signal.addEventListener("abort", abandon, { once: true });
      socket.once("connect", () => {
        resolve(passed(`connected to ${address} port ${port}`));
        socket.destroy();
      });
      socket.on("error", reject);
      socket.on("close", () => signal.removeEventListener("abort", abandon));
    });
}
