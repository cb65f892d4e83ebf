/** What the kernel speaker had to put right, or could not. The same words in journal, metrics and README. */
export const KERNEL_REASONS = [
  "ip-failed",
  "ip-recovered",
  "address-on-interface",
  "route-missing",
  "route-leftover",
  "watchdog-started",
  "watchdog-ended",
  "watchdog-flushed",
] as const;

export type KernelReason = (typeof KERNEL_REASONS)[number];
