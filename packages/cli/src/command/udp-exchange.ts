import { createSocket } from "node:dgram";
import type { Endpoint } from "@stitch/linux-io";
import { formatEndpoint } from "@stitch/linux-io";
import { CommandError } from "../usage.ts";

/** How long a question to a VIP may stay unanswered. */
export const ANSWER_LIMIT_MS = 2_000;

export interface Answered {
  readonly bytes: Buffer;
  readonly milliseconds: number;
  /** Wall time in microseconds when the answer arrived. */
  readonly arrivedMicros: number;
}

/** Why a question could not be put, in words. */
export function whyNot({ code, message }: NodeJS.ErrnoException): string {
  return code === "ECONNREFUSED" ? "nothing listens there; is the site up, and is this its file (-c FILE)?" : message;
}

/** Sends one datagram and takes the first answer from where it was sent. Throws CommandError when none comes. */
export function exchange(to: Endpoint, payload: Uint8Array, wallMicros: () => number): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const socket = createSocket(to.address.includes(":") ? "udp6" : "udp4");
    const began = performance.now();
    const end = (settle: () => void): void => {
      clearTimeout(limit);
      socket.close();
      settle();
    };
    const limit = setTimeout(() => {
      end(() => reject(new CommandError(`no answer from ${formatEndpoint(to)} within ${ANSWER_LIMIT_MS / 1_000} s`)));
    }, ANSWER_LIMIT_MS);
    socket.on("error", (failure) => {
      end(() => reject(new CommandError(`${formatEndpoint(to)}: ${whyNot(failure)}`)));
    });
    socket.on("message", (bytes) => {
      const arrived = { bytes, milliseconds: performance.now() - began, arrivedMicros: wallMicros() };
      end(() => resolve(arrived));
    });
    // Connected: datagrams from anywhere else are dropped by the kernel, and a closed port is an error at once.
    socket.connect(to.port, to.address, () => socket.send(payload));
  });
}
