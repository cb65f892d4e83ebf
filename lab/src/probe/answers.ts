import { CHANGED, type DnsRecord, WARM } from "./record.ts";

/** What a probe has asked, and who has answered. Says aloud when it is warm, and whenever another site answers. */
export class Answers {
  readonly #start = process.hrtime.bigint();
  readonly #sent: number[] = [];
  readonly #answered: number[] = [];
  readonly #site: number[] = [];
  readonly #sites: string[] = [];
  readonly #warmAfter: number;
  #count = 0;
  #current = -1;

  /** Answers before the drill may begin: the interpreter has compiled the loop, ARP and caches are filled. */
  constructor(warmAfter: number) {
    this.#warmAfter = warmAfter;
  }

  get asked(): number {
    return this.#sent.length;
  }

  /** ns since the beginning. */
  now(): number {
    return Number(process.hrtime.bigint() - this.#start);
  }

  /** The next question leaves now. */
  ask(): void {
    this.#sent.push(this.now());
    this.#answered.push(-1);
    this.#site.push(-1);
  }

  isOpen(sequence: number): boolean {
    return this.#answered[sequence] === -1;
  }

  /** `at` is when the answer came: before it was read. */
  note(sequence: number, at: number, site: string): void {
    const known = this.#sites.indexOf(site);
    const index = known >= 0 ? known : this.#sites.push(site) - 1;
    this.#answered[sequence] = at;
    this.#site[sequence] = index;
    if (++this.#count === this.#warmAfter) print(WARM);
    if (index !== this.#current) print(`${CHANGED}${site}`);
    this.#current = index;
  }

  get record(): DnsRecord {
    const [sent, answered, site, sites] = [this.#sent, this.#answered, this.#site, this.#sites];
    return { start: String(this.#start), sent, answered, site, sites };
  }
}

/** A line for whoever started the probe. */
export function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
