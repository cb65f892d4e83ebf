import { counterFrom, gaugeFrom, OutcomeCounter, type Registry } from "@stitch/health";
import { kernelDropsOf, type DatagramSocket } from "@stitch/linux-io";
import { REASONS, type Reason } from "./reasons.ts";
import type { Store } from "./store/store.ts";

/** One count per datagram, by what became of it. */
export function datagramCounter(registry: Registry): OutcomeCounter<Reason> {
  return new OutcomeCounter(
    registry,
    "stitch_syslog_datagrams_total",
    "Datagrams by what became of them",
    "reason",
    REASONS,
  );
}

export function registerSocketMetrics(registry: Registry, sockets: readonly DatagramSocket[]): void {
  counterFrom(registry, "stitch_syslog_kernel_drops_total", "Datagrams dropped by the kernel for want of buffer", () =>
    kernelDropsOf(sockets),
  );
  counterFrom(registry, "stitch_syslog_batches_total", "Times that datagrams were taken from the kernel", () =>
    sockets.reduce((sum, { counters }) => sum + counters.batches, 0),
  );
  counterFrom(registry, "stitch_syslog_full_batches_total", "Of these, with as many as one call may bring", () =>
    sockets.reduce((sum, { counters }) => sum + counters.fullBatches, 0),
  );
  gaugeFrom(registry, "stitch_syslog_receive_buffer_bytes", "Smallest receive buffer granted to a socket", () =>
    Math.min(...sockets.map((socket) => socket.grantedReceiveBuffer)),
  );
}

export function registerStoreMetrics(registry: Registry, store: Store): void {
  const { journal } = store;
  const counters: readonly (readonly [name: string, help: string, read: () => number])[] = [
    ["stitch_syslog_store_writes_total", "Writes to segments", () => journal.counters.writes],
    ["stitch_syslog_store_written_bytes_total", "Bytes written to segments", () => journal.counters.writtenBytes],
    [
      "stitch_syslog_store_write_failures_total",
      "Attempts to write or sync that failed",
      () => journal.counters.writeFailures,
    ],
    [
      "stitch_syslog_store_removed_segments_total",
      "Segments removed by retention",
      () => store.counters.removedSegments,
    ],
    [
      "stitch_syslog_store_damaged_segments_total",
      "Segments set aside as damaged",
      () => store.counters.damagedSegments,
    ],
  ];
  for (const [name, help, read] of counters) counterFrom(registry, name, help, read);
  gaugeFrom(
    registry,
    "stitch_syslog_store_waiting_bytes",
    "Bytes in memory, not yet written",
    () => journal.waitingBytes,
  );
  gaugeFrom(registry, "stitch_syslog_store_bytes", "Bytes of all segments on disk", () => store.diskBytes);
  gaugeFrom(registry, "stitch_syslog_store_segments", "Segments on disk", () => store.segments);
}
