import { readdirSync, readFileSync } from "node:fs";
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
/** What V8 compiles and collects beside the threads that it does it for is done by threads of this name. */
const HELPER = "node-V8Worker";
const THREADS = "/proc/self/task";

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
 * Lets the main thread, V8's own threads, and what the main thread starts from now on, give way to threads of this process that
 * serve. V8's compile for milliseconds at a time, most of all in the first seconds: with one question in twenty forwarded, on one
 * core, one answer in a hundred took 1.9 ms, and 1.2 since they give way (medians of eighteen times 1.5 s; just after the start
 * 9 to 29 ms, and 2 to 10). As for the main thread, on a core that they share the kernel would else let it finish its slice of some milliseconds while datagrams wait: with metrics read twenty
 * times a second, one cached answer in a hundred took 136 us at half load instead of 95 (medians of twelve times 1.5 s each, by turns; the
 * means were 302 and 108). Once for a process, however often it is called.
 */
export function giveWay(): string | undefined {
  if (process.platform !== "linux") return "ENOSYS"; // elsewhere it would be the whole process that gives way
  if (gaveWay) return undefined;
  try {
    const nice = Math.min(NICEST, getPriority(process.pid) + NICER);
    setPriority(process.pid, nice);
    gaveWay = true;
    for (const thread of readdirSync(THREADS)) lower(Number(thread), nice);
    return undefined;
  } catch (failure) {
    const { info, code } = failure as NodeJS.ErrnoException & { readonly info?: { readonly code: string } };
    return info?.code ?? code ?? "EPERM";
  }
}

/** A thread that is V8's. One that has ended meanwhile needs no priority. */
function lower(thread: number, nice: number): void {
  try {
    if (readFileSync(`${THREADS}/${thread}/comm`, "utf8").startsWith(HELPER)) setPriority(thread, nice);
  } catch {
    return;
  }
}

function refusal(number: number): string | undefined {
  return number === 0 ? undefined : getSystemErrorName(-number);
}
