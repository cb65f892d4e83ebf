import type { Clock } from "@stitch/clock";
import type { KernelClock } from "@stitch/linux-io";
import { LEAP_UNKNOWN, referenceIdOf, timestampOf, type Leap } from "../wire/index.ts";
import { OWN_PRECISION, type ClockReading } from "./clock-state.ts";
import type { ClockSource, SourceAnswer } from "./source.ts";

/** The kernel does not know how far its clock's source is from a reference: behind every server that does know. */
export const KERNEL_STRATUM = 9;

/** adjtimex(2): what bits of `status`, and which return value, mean. */
const STA_INS = 0x10;
const STA_DEL = 0x20;
const STA_UNSYNC = 0x40;
const STA_NANO = 0x2000;
const TIME_ERROR = 5;

/** Reads the kernel's clock discipline; a sentence where that cannot be done. */
export type ReadKernelClock = () => KernelClock | string;

/**
 * The state of the host's clock from the kernel, for daemons that neither answer NTP nor speak chronyd's protocol. Its
 * error bound grows by 500 ppm while no daemon renews it, so a daemon that died is found out by the root distance.
 */
export class KernelSource implements ClockSource {
  readonly name = "adjtimex";
  readonly #read: ReadKernelClock;
  readonly #clock: Clock;

  constructor(read: ReadKernelClock, clock: Clock) {
    this.#read = read;
    this.#clock = clock;
  }

  read(): Promise<SourceAnswer> {
    const at = this.#clock.now();
    const state = this.#read();
    if (typeof state === "string") return Promise.resolve({ kind: "none", detail: state });
    return Promise.resolve({ kind: "reading", reading: { at, ...readingOf(state, this.#clock.wallMicros()) } });
  }
}

function readingOf(kernel: KernelClock, wallMicros: number): Omit<ClockReading, "at"> {
  const offsetSeconds = Math.abs(kernel.offset) / ((kernel.status & STA_NANO) === 0 ? 1e6 : 1e9);
  return {
    leap: leapOf(kernel),
    stratum: KERNEL_STRATUM,
    precision: OWN_PRECISION,
    referenceId: referenceIdOf("KERN"),
    reference: timestampOf(wallMicros),
    rootDelay: 0,
    rootDispersion: kernel.maximumError / 1e6 + offsetSeconds,
  };
}

function leapOf({ state, status }: KernelClock): Leap {
  if (state === TIME_ERROR || (status & STA_UNSYNC) !== 0) return LEAP_UNKNOWN;
  if ((status & STA_INS) !== 0) return 1;
  return (status & STA_DEL) === 0 ? 0 : 2;
}
