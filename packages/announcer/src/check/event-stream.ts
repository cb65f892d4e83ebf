/** A stream that sends more than this without finishing an event is not one of ours; it is cut off. */
const LARGEST_EVENT = 64 * 1_024;

export interface StreamEvent {
  readonly type: string;
  readonly data: string;
}

/** Server-sent events, as far as the lease uses them: `event`, `data`, blank line. */
export class EventStream {
  readonly #onEvent: (event: StreamEvent) => void;
  #rest = "";
  #type = "message";
  #data = "";

  constructor(onEvent: (event: StreamEvent) => void) {
    this.#onEvent = onEvent;
  }

  /** Takes the next piece of the stream. Returns false when it is not an event stream that we would read. */
  push(text: string): boolean {
    this.#rest += text;
    const lines = this.#rest.split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) this.#line(line.endsWith("\r") ? line.slice(0, -1) : line);
    return this.#rest.length + this.#data.length <= LARGEST_EVENT;
  }

  #line(line: string): void {
    if (line === "") this.#dispatch();
    else if (line.startsWith("event:")) this.#type = line.slice(6).trim();
    else if (line.startsWith("data:") && this.#data.length <= LARGEST_EVENT) this.#data += line.slice(5).trim();
  }

  #dispatch(): void {
    const event = { type: this.#type, data: this.#data };
    this.#type = "message";
    this.#data = "";
    if (event.data !== "") this.#onEvent(event);
  }
}
