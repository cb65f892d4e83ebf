import { getSystemErrorName } from "node:util";
import type { Clock, Timer } from "@stitch/clock";
import type { HostPort } from "@stitch/config";
import { ENDPOINT_BYTES, openSocketSet, SEND_ERROR, TRUNCATED, writeEndpoint } from "@stitch/linux-io";
import type { SetArrivals, SocketSet } from "@stitch/linux-io";
import { EDNS_SIZE } from "../wire/edns.ts";
import { encodeRequest, failed, isAnswerTo, readAnswer, type Exchange, type Request } from "./exchange.ts";

const ANY_V4 = recordOf({ address: "0.0.0.0", port: 0 });
const ANY_V6 = recordOf({ address: "::", port: 0 });
const BATCH = 64;

interface Waiting {
  readonly request: Request;
  readonly timer: Timer;
  readonly resolve: (result: Exchange) => void;
}

/**
 * Asks over UDP from a fresh connected socket: the kernel picks a random port for every query and lets through only
 * what comes from the upstream's own address and port. All sockets are read in common batches.
 */
export class UdpExchanges {
  readonly #set: SocketSet;
  /** By place in the set. */
  readonly #waiting: (Waiting | undefined)[] = [];
  /** Records of upstreams and source addresses, which come from the configuration. */
  readonly #records = new Map<string, Uint8Array>();

  /** At most `most` questions are on their way; further ones come to `no-socket`. */
  constructor(clock: Clock, most: number) {
    this.#set = openSocketSet({
      clock,
      most,
      slotSize: EDNS_SIZE,
      batchSize: BATCH,
      onBatch: (arrivals) => this.#arrived(arrivals),
      onFailure: (failure) => {
        throw failure; // reading an answer never throws: a defect that the process must not survive unnoticed
      },
    });
  }

  exchange(request: Request): Promise<Exchange> {
    const place = this.#set.open(this.#sourceOf(request), this.#record(request.upstream));
    if (place < 0) return Promise.resolve(failed(getSystemErrorName(place)));
    return new Promise((resolve) => {
      const { clock, limit } = request;
      const timer = clock.after("upstream-udp", limit, () => this.#finish(place, { kind: "timeout" }));
      this.#waiting[place] = { request, timer, resolve };
      const sent = this.#set.send(place, encodeRequest(request));
      if (sent < 0) this.#finish(place, failed(getSystemErrorName(sent)));
    });
  }

  /** What is on its way comes to a timeout. */
  close(): Promise<void> {
    return this.#set.close();
  }

  #arrived(arrivals: SetArrivals): void {
    for (let slot = 0; slot < arrivals.count; slot += 1) {
      const place = arrivals.sockets[slot] ?? -1;
      const waiting = this.#waiting[place];
      if (waiting !== undefined) this.#read(place, waiting, arrivals, slot);
    }
  }

  #read(place: number, { request }: Waiting, arrivals: SetArrivals, slot: number): void {
    const flags = arrivals.flags[slot] ?? 0;
    const length = arrivals.lengths[slot] ?? 0;
    if ((flags & SEND_ERROR) !== 0) return this.#finish(place, failed(getSystemErrorName(-length)));
    const at = slot * arrivals.slotSize;
    const bytes = arrivals.bytes.subarray(at, at + length);
    if (!isAnswerTo(request, bytes)) return request.onIgnored();
    // The slab is filled again; the answer is kept.
    const cut = (flags & TRUNCATED) !== 0;
    this.#finish(place, cut ? { kind: "truncated" } : readAnswer(Uint8Array.from(bytes)));
  }

  #finish(place: number, result: Exchange): void {
    const waiting = this.#waiting[place];
    if (waiting === undefined) return;
    this.#waiting[place] = undefined;
    waiting.timer.cancel();
    this.#set.closeSocket(place);
    waiting.resolve(result);
  }

  #sourceOf({ source, upstream }: Request): Uint8Array {
    if (source !== undefined) return this.#record({ address: source, port: 0 });
    return upstream.address.includes(":") ? ANY_V6 : ANY_V4;
  }

  #record(endpoint: HostPort): Uint8Array {
    const key = `${endpoint.address} ${endpoint.port}`;
    const known = this.#records.get(key);
    if (known !== undefined) return known;
    const record = recordOf(endpoint);
    this.#records.set(key, record);
    return record;
  }
}

function recordOf(endpoint: HostPort): Uint8Array {
  const record = new Uint8Array(ENDPOINT_BYTES);
  writeEndpoint(endpoint, record, 0);
  return record;
}
