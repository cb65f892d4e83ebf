import { getPriority, setPriority } from "node:os";
import { getSystemErrorName } from "node:util";
import { loadNative } from "./native.ts";

/** The least that the kernel grants; what a datagram takes is less. */
const SLICE_MICROSECONDS = 100;
/**
 * Of the processor, a thread so much nicer than its neighbour gets a quarter when both want all of it, and its neighbour goes
 * first as long as that takes less than three quarters. Not more: the main thread renews the lease, and with a tenth
 * that was up to 1 s apart in a flood of the core while a long list was read again; a lease lasts 0.5 s.
 */
const NICER = 5;
const NICEST = 19;

let gaveWay = false;

/**
 * Lets the calling thread go before every thread that is not realtime (SCHED_RR at its lowest priority), or with the
 * others again; needs CAP_SYS_NICE. Answers why not, such as EPERM, or ENOSYS without the addon; undefined when it is so.
 * For a thread that does little and must do it in time: one that did much would take a processor from everybody.
 */
export function setRealtime(on: boolean): string | undefined {
  const { native } = loadNative();
  if (native === undefined) return "ENOSYS";
  return refusal(native.threadRealtime(on ? 1 : 0));
}

/**
 * Lets the calling thread, which serves, have the processor as soon as it has something to do, in short slices (Linux 6.12;
 * earlier kernels take no notice): its share stays what it was. Half of it: the threads that it shares a core with must
 * `giveWay`. Answers why not, as setRealtime; nothing depends on it but time.
 */
export function serveFirst(): string | undefined {
  const { native } = loadNative();
  if (native === undefined) return "ENOSYS";
  return refusal(native.threadSlice(SLICE_MICROSECONDS));
}

/**
 * Lets the main thread, and what it starts from now on, give way to threads of this process that serve. On a core that
 * they share the kernel would else let it finish its slice of some milliseconds while datagrams wait: with metrics read twenty
 * times a second, one cached answer in a hundred took 136 us at half load instead of 95 (medians of twelve times 1.5 s each, by turns; the
 * means were 302 and 108). Once for a process, however often it is called.
 */
export function giveWay(): string | undefined {
  if (process.platform !== "linux") return "ENOSYS"; // elsewhere it would be the whole process that gives way
  if (gaveWay) return undefined;
  try {
    setPriority(process.pid, Math.min(NICEST, getPriority(process.pid) + NICER));
    gaveWay = true;
    return undefined;
  } catch (failure) {
    return (failure as NodeJS.ErrnoException & { readonly info?: { readonly code: string } }).info?.code ?? "EPERM";
  }
}

function refusal(number: number): string | undefined {
  return number === 0 ? undefined : getSystemErrorName(-number);
}
