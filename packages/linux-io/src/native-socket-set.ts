import { constants } from "node:os";
import { ENDPOINT_BYTES } from "./endpoint.ts";
import { FailureReport } from "./failure-report.ts";
import type { Handle, Native } from "./native.ts";
import { Places } from "./places.ts";
import { ArrivalSlab } from "./slabs.ts";
import type { SocketSet, SocketSetOptions } from "./socket-set.ts";

/** A set on one epoll descriptor: opening costs four system calls, a wake-up gathers all that is ready. */
export class NativeSocketSet implements SocketSet {
  readonly implementation = "native";
  readonly #native: Native;
  readonly #handle: Handle;
  readonly #places: Places;
  readonly #local = new Uint8Array(ENDPOINT_BYTES);
  #closing: Promise<void> | undefined;

  constructor(native: Native, { clock, most, slotSize, batchSize, onBatch, onFailure }: SocketSetOptions) {
    this.#native = native;
    const places = new Places(most, batchSize);
    this.#places = places;
    const arrivals = new ArrivalSlab(batchSize, slotSize);
    const failures = new FailureReport(clock, onFailure);
    this.#handle = native.setCreate({ most: places.end, arrivals, sockets: arrivals.sockets }, (count) => {
      arrivals.count = count;
      places.hold();
      try {
        onBatch(arrivals);
      } catch (failure) {
        failures.tell(failure);
      } finally {
        places.release();
      }
    });
  }

  get size(): number {
    return this.#places.taken;
  }

  open(local: Uint8Array, peer: Uint8Array): number {
    const place = this.#closing === undefined ? this.#places.take() : -1;
    if (place < 0) return -constants.errno.EMFILE;
    this.#local.set(local.subarray(0, ENDPOINT_BYTES)); // the addon writes the bound address back
    const result = this.#native.setOpen(this.#handle, place, this.#local, peer);
    if (result === 0) return place;
    this.#places.give(place);
    return result;
  }

  send(place: number, bytes: Uint8Array): number {
    return this.#places.has(place) ? this.#native.setSend(this.#handle, place, bytes) : -constants.errno.EBADF;
  }

  closeSocket(place: number): void {
    if (this.#places.give(place)) this.#native.setCloseSocket(this.#handle, place);
  }

  close(): Promise<void> {
    this.#closing ??= new Promise((resolve) => this.#native.setClose(this.#handle, resolve));
    return this.#closing;
  }
}
