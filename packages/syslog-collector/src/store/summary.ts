import { readFile } from "node:fs/promises";
import { ipv4Text, readEndpoint } from "@stitch/linux-io";
import { z } from "zod";
import { senderAddress, type LogRecord } from "./record.ts";

/** Senders that a sidecar names. A flood from forged addresses costs this many entries; the rest are `otherSenders`. */
const MOST_SENDERS = 10_000;
/** Severities 0 to 7, and 8 for none. */
const SEVERITY_SLOTS = 9;

const sidecarSchema = z.object({
  version: z.literal(1),
  first: z.number(),
  last: z.number(),
  count: z.number(),
  bytes: z.number(),
  since: z.string(),
  until: z.string(),
  severities: z.array(z.number()).length(SEVERITY_SLOTS),
  senders: z.record(z.string(), z.number()),
  otherSenders: z.number(),
});

/** What the sidecar of a sealed segment says, so that a search can pass the segment over. */
export type Sidecar = z.infer<typeof sidecarSchema>;

/** Undefined when there is none or it is not one. */
export async function readSidecar(path: string): Promise<Sidecar | undefined> {
  try {
    const result = sidecarSchema.safeParse(JSON.parse(await readFile(path, "utf8")));
    return result.success ? result.data : undefined;
  } catch {
    return undefined;
  }
}

/** Grows with the segment, record by record, so that sealing has nothing left to count. */
export class Summary {
  first = -1;
  last = -1;
  count = 0;
  bytes = 0;
  readonly #severities = new Float64Array(SEVERITY_SLOTS);
  readonly #ipv4 = new Map<number, number>();
  readonly #named = new Map<string, number>();
  #otherSenders = 0;
  /** Receive times, seconds since 1970: the wall clock may step, so neither is simply the first or last. */
  #earliest = Infinity;
  #latest = -Infinity;

  /** `priority` below 0: none. */
  add(sequence: number, bytes: number, seconds: number, priority: number, peers: Uint8Array, offset: number): void {
    this.#count(sequence, bytes, seconds, priority < 0 ? 8 : priority & 7);
    if (peers[offset] === 4) this.#addIPv4(peers, offset);
    else if (peers[offset] === 6) this.#addNamed(readEndpoint(peers, offset)?.address ?? "");
    else this.#otherSenders += 1;
  }

  /** For segments found at start, whose counting died with their writer. */
  addRecord(record: LogRecord, bytes: number): void {
    this.#count(record.seq, bytes, Math.floor(Date.parse(record.rx) / 1_000), record.severity ?? 8);
    this.#addNamed(senderAddress(record.from));
  }

  sidecar(): Sidecar {
    const senders: Record<string, number> = Object.fromEntries(this.#named);
    for (const [address, count] of this.#ipv4) senders[dotted(address)] = count;
    const { first, last, count, bytes } = this;
    return {
      version: 1,
      first,
      last,
      count,
      bytes,
      since: new Date(this.#earliest * 1_000).toISOString(),
      until: new Date((this.#latest + 1) * 1_000).toISOString(),
      severities: [...this.#severities],
      senders,
      otherSenders: this.#otherSenders,
    };
  }

  #count(sequence: number, bytes: number, seconds: number, severity: number): void {
    if (this.first < 0) this.first = sequence;
    this.last = sequence;
    this.count += 1;
    this.bytes += bytes;
    this.#severities[severity] = (this.#severities[severity] ?? 0) + 1;
    if (seconds < this.#earliest) this.#earliest = seconds;
    if (seconds > this.#latest) this.#latest = seconds;
  }

  #addIPv4(peers: Uint8Array, offset: number): void {
    let address = 0;
    for (let i = 4; i < 8; i += 1) address = address * 256 + (peers[offset + i] ?? 0);
    const known = this.#ipv4.get(address);
    if (known !== undefined) this.#ipv4.set(address, known + 1);
    else if (this.#ipv4.size + this.#named.size < MOST_SENDERS) this.#ipv4.set(address, 1);
    else this.#otherSenders += 1;
  }

  #addNamed(address: string): void {
    const known = this.#named.get(address);
    if (known !== undefined) this.#named.set(address, known + 1);
    else if (this.#ipv4.size + this.#named.size < MOST_SENDERS) this.#named.set(address, 1);
    else this.#otherSenders += 1;
  }
}

function dotted(address: number): string {
  return ipv4Text(Uint8Array.of(address >>> 24, (address >>> 16) & 0xff, (address >>> 8) & 0xff, address & 0xff), 0);
}
