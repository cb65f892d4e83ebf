/** What each worker counts: outcomes, one by one as they happen, and figures, copied in at every beat of its heart. */
export interface WorkerLayout<Reason extends string = string, Figure extends string = string> {
  readonly outcomes: readonly Reason[];
  readonly figures: readonly Figure[];
}

const BEATS_AT = 0;
const OUTCOMES_AT = 1;
/** Rows begin on cache lines of their own (64 bytes), or two cores would take each other's away at every count. */
const LINE = 8;

/**
 * One worker's numbers. Written by that worker, read by the main thread: plain eight-byte loads and stores, which the
 * 64-bit machines that Stitch runs on never tear, so that counting costs what it costs without threads.
 */
export class WorkerRow<Figure extends string = string> {
  /** Slot i counts the outcome i of the layout. */
  readonly outcomes: Float64Array;
  readonly #numbers: Float64Array;
  readonly #figures: ReadonlyMap<string, number>;

  constructor(layout: WorkerLayout<string, Figure>, memory: SharedArrayBuffer, index: number) {
    const width = widthOf(layout);
    this.#numbers = new Float64Array(memory, index * width * Float64Array.BYTES_PER_ELEMENT, width);
    const figuresAt = OUTCOMES_AT + layout.outcomes.length;
    this.outcomes = this.#numbers.subarray(OUTCOMES_AT, figuresAt);
    this.#figures = new Map(layout.figures.map((name, i) => [name, figuresAt + i]));
  }

  /** The worker's event loop has turned. */
  beat(): void {
    this.#numbers[BEATS_AT] = this.beats + 1;
  }

  get beats(): number {
    return this.#numbers[BEATS_AT] ?? 0;
  }

  /** Outcomes so far, whatever they were. */
  get total(): number {
    let total = 0;
    for (let i = 0; i < this.outcomes.length; i += 1) total += this.outcomes[i] ?? 0;
    return total;
  }

  get(figure: Figure): number {
    return this.#numbers[this.#at(figure)] ?? 0;
  }

  set(figure: Figure, value: number): void {
    this.#numbers[this.#at(figure)] = value;
  }

  #at(figure: Figure): number {
    const at = this.#figures.get(figure);
    if (at === undefined) throw new RangeError(`the workers have no figure "${figure}"`);
    return at;
  }
}

/** The numbers of all workers, in memory that every thread sees. */
export class WorkerTable<Reason extends string = string, Figure extends string = string> {
  readonly memory: SharedArrayBuffer;
  readonly rows: readonly WorkerRow<Figure>[];

  constructor(layout: WorkerLayout<Reason, Figure>, workers: number) {
    const memory = new SharedArrayBuffer(workers * widthOf(layout) * Float64Array.BYTES_PER_ELEMENT);
    this.memory = memory;
    this.rows = Array.from({ length: workers }, (_, index) => new WorkerRow(layout, memory, index));
  }

  /** How often outcome `code` has come about in all workers. */
  outcome(code: number): number {
    return this.rows.reduce((sum, { outcomes }) => sum + (outcomes[code] ?? 0), 0);
  }

  sum(figure: Figure): number {
    return this.rows.reduce((sum, row) => sum + row.get(figure), 0);
  }

  most(figure: Figure): number {
    return Math.max(...this.rows.map((row) => row.get(figure)));
  }
}

function widthOf({ outcomes, figures }: WorkerLayout): number {
  return Math.ceil((OUTCOMES_AT + outcomes.length + figures.length) / LINE) * LINE;
}
