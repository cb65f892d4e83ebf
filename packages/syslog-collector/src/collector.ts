import { TRUNCATED, type Arrivals, ENDPOINT_BYTES } from "@stitch/linux-io";
import { REASON, type ReasonCode } from "./reasons.ts";
import { lineRoom, RecordLine, type Arrival } from "./record-line.ts";
import { decodeMessage } from "./wire/decode.ts";
import { LAYOUT, Message, PRIORITY } from "./wire/message.ts";

/** Where lines go: room is asked for before, and what was written is reported after. */
export interface LineSink {
  /** A slab with at least `room` bytes from `at`; false when the collector may not keep more in memory. */
  reserve(room: number): boolean;
  readonly bytes: Uint8Array;
  readonly at: number;
  readonly nextSequence: number;
  /** The line that was written at `at` ends at `end`. */
  commit(end: number, arrival: Arrival, priority: number): void;
}

/** Recognises the collector's own probes, so that they prove the path and do not fill the store. */
export interface ProbeWatch {
  /** True for the very bytes of the probe under way, from the very socket that sent it. */
  matches(arrival: Arrival): boolean;
  /** The line that the probe would have been stored as. */
  encoded(line: Uint8Array): void;
}

class ArrivalSlot implements Arrival {
  bytes: Uint8Array = new Uint8Array(0);
  start = 0;
  end = 0;
  seconds = 0;
  nanoseconds = 0;
  peers: Uint8Array = new Uint8Array(0);
  peerOffset = 0;
  locals: Uint8Array = new Uint8Array(0);
  localOffset = 0;
  truncated = false;

  point(arrivals: Arrivals, slot: number): void {
    this.bytes = arrivals.bytes;
    this.start = slot * arrivals.slotSize;
    this.end = this.start + (arrivals.lengths[slot] as number);
    this.seconds = arrivals.receivedSeconds[slot] as number;
    this.nanoseconds = arrivals.receivedNanoseconds[slot] as number;
    this.peers = arrivals.peers;
    this.peerOffset = slot * ENDPOINT_BYTES;
    this.locals = arrivals.locals;
    this.localOffset = slot * ENDPOINT_BYTES;
    this.truncated = ((arrivals.flags[slot] as number) & TRUNCATED) !== 0;
  }
}

/**
 * The decision: bytes in, a line for the store and a reason out. No socket, no file, no clock.
 *
 * Normal: slot 3 holds `<34>1 2003-...`; it is decoded, written as one line into the sink's slab, and `rfc5424` is
 * returned. Hard: slot 4 is empty: there is nothing to keep, `empty`. Slot 5 is noise: its line has the raw bytes and
 * no header, `unparsed`. Slot 6 comes while the disk has been full for long and memory is at its bound: `store-full`.
 */
export class Collector {
  readonly #sink: LineSink;
  readonly #probes: ProbeWatch | undefined;
  readonly #line = new RecordLine();
  readonly #message = new Message();
  readonly #arrival = new ArrivalSlot();

  constructor(sink: LineSink, probes?: ProbeWatch) {
    this.#sink = sink;
    this.#probes = probes;
  }

  /** Decides slot `slot` of a batch. */
  collect(arrivals: Arrivals, slot: number): ReasonCode {
    const arrival = this.#arrival;
    arrival.point(arrivals, slot);
    const length = arrival.end - arrival.start;
    if (length === 0) return REASON.empty;
    const sink = this.#sink;
    if (!sink.reserve(lineRoom(length))) {
      return this.#probes?.matches(arrival) === true ? REASON.selfCheck : REASON.storeFull;
    }
    const message = this.#message;
    decodeMessage(arrival.bytes, arrival.start, arrival.end, arrival.seconds, message);
    const end = this.#line.write(sink.bytes, sink.at, sink.nextSequence, arrival, message);
    if (this.#probes?.matches(arrival) === true) {
      this.#probes.encoded(sink.bytes.subarray(sink.at, end));
      return REASON.selfCheck;
    }
    sink.commit(end, arrival, message.priority);
    return reasonOf(message, arrival.truncated);
  }
}

function reasonOf(message: Message, truncated: boolean): ReasonCode {
  if (truncated) return REASON.truncated;
  if (message.priorityState === PRIORITY.absent) return REASON.noPriority;
  if (message.priorityState === PRIORITY.invalid) return REASON.badPriority;
  if (message.layout === LAYOUT.rfc5424) return REASON.rfc5424;
  return message.layout === LAYOUT.rfc3164 ? REASON.rfc3164 : REASON.unparsed;
}
