const NS_PER_MS = 1_000_000n;

/**
 * Calls `send(sequence)` once per `intervalUs` on an absolute schedule: a late wake-up sends everything that is due, so the
 * average rate holds and a stall of ours shows as a bunch, never as missing packets. Ends when `send` answers false.
 */
export function onSchedule(intervalUs: number, send: (sequence: number) => boolean): void {
  const start = process.hrtime.bigint();
  const interval = BigInt(intervalUs) * (NS_PER_MS / 1_000n);
  let sequence = 0;
  const wake = (): void => {
    const due = Number((process.hrtime.bigint() - start) / interval);
    while (sequence <= due) if (!send(sequence++)) return;
    setTimeout(wake, 1);
  };
  wake();
}
