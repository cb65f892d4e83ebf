import { request, type IncomingMessage } from "node:http";

export interface LeaseEvent {
  readonly event: string;
  readonly data: Record<string, unknown>;
  /** When it was heard: performance.now(). */
  readonly at: number;
}

/** Holds the lease of a service as an announcer does, and keeps what it hears. */
export class LeaseReader {
  readonly events: LeaseEvent[] = [];
  readonly status: number;
  ended = false;
  readonly #response: IncomingMessage;
  #text = "";

  static open(port: number, method = "GET"): Promise<LeaseReader> {
    return new Promise((resolve, reject) => {
      const asking = request({ host: "127.0.0.1", port, path: "/health/lease", method, agent: false });
      asking.on("response", (response) => resolve(new LeaseReader(response)));
      asking.on("error", reject);
      asking.end();
    });
  }

  private constructor(response: IncomingMessage) {
    this.#response = response;
    this.status = response.statusCode ?? 0;
    response.setEncoding("utf8");
    response.on("data", (text: string) => this.#read(text));
    response.on("error", () => {}); // the stream is cut when the service ends: seen as "close"
    response.on("close", () => {
      this.ended = true;
    });
  }

  get contentType(): string | undefined {
    return this.#response.headers["content-type"];
  }

  named(event: string): Record<string, unknown>[] {
    return this.events.filter((each) => each.event === event).map((each) => each.data);
  }

  close(): void {
    this.#response.destroy();
  }

  #read(text: string): void {
    const blocks = (this.#text + text).split("\n\n");
    this.#text = blocks.pop() ?? "";
    for (const block of blocks) {
      const [, event = "", data = "{}"] = /^event: (.*)\ndata: (.*)$/.exec(block) ?? [];
      this.events.push({ event, data: JSON.parse(data) as Record<string, unknown>, at: performance.now() });
    }
  }
}
