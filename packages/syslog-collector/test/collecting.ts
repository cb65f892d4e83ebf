import { Collector, type LineSink, type ProbeWatch } from "../src/collector.ts";
import { REASONS, type Reason } from "../src/reasons.ts";
import { parseRecord, type LogRecord } from "../src/store/record.ts";
import { arrivalsOf, type Sent } from "./arrivals.ts";

/** A sink that checks what the real one relies on: never more than the room that was asked for. */
export class MemorySink implements LineSink {
  bytes = new Uint8Array(0);
  at = 0;
  nextSequence = 1;
  full = false;
  readonly lines: string[] = [];
  readonly priorities: number[] = [];

  reserve(room: number): boolean {
    if (this.full) return false;
    this.bytes = new Uint8Array(room);
    return true;
  }

  commit(end: number, _arrival: unknown, priority: number): void {
    this.lines.push(Buffer.from(this.bytes.subarray(0, end)).toString("utf8"));
    this.priorities.push(priority);
    this.nextSequence += 1;
  }
}

export interface Collected {
  readonly reason: Reason;
  /** Undefined when nothing was stored. */
  readonly line: string | undefined;
  readonly record: LogRecord | undefined;
}

/** What the collector makes of one datagram. */
export function collect(bytes: Uint8Array, sent: Omit<Sent, "bytes"> = {}, probes?: ProbeWatch): Collected {
  const sink = new MemorySink();
  const code = new Collector(sink, probes).collect(arrivalsOf([{ bytes, ...sent }]), 0);
  const line = sink.lines[0];
  const reason = REASONS[code] as Reason;
  return { reason, line, record: line === undefined ? undefined : parseRecord(line.trimEnd()) };
}
