import { isIPv6 } from "node:net";
import { elapsed, minutes, type Clock, type Duration, type Instant } from "@stitch/clock";

/** Requests without the right token that one source may make within the window. */
const MOST_GUESSES = 5;
/** From the first of them on; then the source begins anew. */
const WINDOW: Duration = minutes(1);
/**
 * Sources that are remembered. Whoever has more addresses than that makes room by them, oldest first, and so guesses
 * faster; no rate helps against 128 bits. The other way round, strangers would lock the operators out.
 */
const MOST_SOURCES = 1_024;

interface Guesses {
  readonly since: Instant;
  count: number;
}

/** Counts failures per source, so that one who guesses is soon not listened to any more, and nobody else suffers. */
export class GuessLimit {
  readonly #clock: Clock;
  readonly #sources = new Map<string, Guesses>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get remembered(): number {
    return this.#sources.size;
  }

  exhausted(address: string): boolean {
    return (this.#of(address)?.count ?? 0) >= MOST_GUESSES;
  }

  note(address: string): void {
    const guesses = this.#of(address);
    if (guesses !== undefined) {
      guesses.count += 1;
      return;
    }
    const [oldest] = this.#sources.keys();
    if (oldest !== undefined && this.#sources.size >= MOST_SOURCES) this.#sources.delete(oldest);
    this.#sources.set(sourceOf(address), { since: this.#clock.now(), count: 1 });
  }

  /** What the source has done within the window that began with its first failure. */
  #of(address: string): Guesses | undefined {
    const source = sourceOf(address);
    const guesses = this.#sources.get(source);
    if (guesses === undefined || elapsed(guesses.since, this.#clock.now()) < WINDOW) return guesses;
    this.#sources.delete(source);
    return undefined;
  }
}

/** One host has a whole /64 of IPv6 addresses to guess from. */
function sourceOf(address: string): string {
  if (!isIPv6(address)) return address;
  const [head = "", tail = ""] = address.split("%")[0]?.split("::") ?? [];
  const [first, last] = [head, tail].map((part) => part.split(":").filter((group) => group !== ""));
  const zeros = Array<string>(Math.max(0, 8 - (first?.length ?? 0) - (last?.length ?? 0))).fill("0");
  return [...(first ?? []), ...zeros, ...(last ?? [])].slice(0, 4).join(":");
}
