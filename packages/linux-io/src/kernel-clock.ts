import { loadNative, type KernelClock } from "./native.ts";

/** What the kernel says of its clock's discipline (adjtimex, read only); undefined without the addon. Throws what the system says. */
export function readKernelClock(): KernelClock | undefined {
  return loadNative().native?.kernelClock();
}
