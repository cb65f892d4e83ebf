import { getSystemErrorName } from "node:util";
import { loadNative } from "./native.ts";

/**
 * Lets the calling thread go before every thread that is not realtime (SCHED_RR at its lowest priority), or with the
 * others again; needs CAP_SYS_NICE. Answers why not, such as EPERM, or ENOSYS without the addon; undefined when it is so.
 * For a thread that does little and must do it in time: one that did much would take a processor from everybody.
 */
export function setRealtime(on: boolean): string | undefined {
  const { native } = loadNative();
  if (native === undefined) return "ENOSYS";
  const number = native.threadRealtime(on ? 1 : 0);
  return number === 0 ? undefined : getSystemErrorName(-number);
}
