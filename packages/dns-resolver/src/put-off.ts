/**
 * What of one batch is to be asked upstream, put off until the batch's own answers have left: a question upstream takes tens
 * of microseconds, and a cached answer would wait for each. Filled again and again, without allocation.
 */
export class PutOff {
  count = 0;
  /** Slot of the batch, number of the route and cache tag of each, in the order of their arrival. */
  readonly slots: Int32Array;
  readonly places: Int32Array;
  readonly tags: Int32Array;
  /** 1 where somebody waits for what comes; 0 where only the cache does. */
  readonly waits: Uint8Array;
  /** How many of them somebody waits for. */
  waiting = 0;

  /** For batches of at most `most` queries. */
  constructor(most: number) {
    this.slots = new Int32Array(most);
    this.places = new Int32Array(most);
    this.tags = new Int32Array(most);
    this.waits = new Uint8Array(most);
  }

  add(slot: number, place: number, tag: number, waits: boolean): void {
    const at = this.count;
    this.slots[at] = slot;
    this.places[at] = place;
    this.tags[at] = tag;
    this.waits[at] = waits ? 1 : 0;
    if (waits) this.waiting += 1;
    this.count = at + 1;
  }

  clear(): void {
    this.count = 0;
    this.waiting = 0;
  }
}
