import { once } from "node:events";
import { request, type IncomingMessage } from "node:http";

/** Holds the lease of a service as an announcer does, and measures how long it had to wait. */
export class Lease {
  ended = false;
  /** Longest time between two renewals so far, in milliseconds. */
  longestGap = 0;
  renewals = 0;
  /** Every other verdict than `pass`, and every phase but `serving`. */
  readonly bad: string[] = [];
  readonly #response: IncomingMessage;
  #text = "";
  #last = performance.now();

  static async hold(port: number): Promise<Lease> {
    const asking = request({ host: "127.0.0.1", port, path: "/health/lease", agent: false }).end();
    const [response] = (await once(asking, "response")) as [IncomingMessage];
    return new Lease(response);
  }

  private constructor(response: IncomingMessage) {
    this.#response = response;
    response.setEncoding("utf8");
    response.on("data", (text: string) => this.#read(text));
    response.on("error", () => {}); // seen as "close"
    response.on("close", () => (this.ended = true));
  }

  close(): void {
    this.#response.destroy();
  }

  #read(text: string): void {
    const events = (this.#text + text).split("\n\n");
    this.#text = events.pop() ?? "";
    for (const event of events) {
      if (event.startsWith("event: renewal")) this.#renewed();
      else if (!event.includes('"phase":"serving","verdict":"pass"')) this.bad.push(event);
    }
  }

  #renewed(): void {
    const now = performance.now();
    this.renewals += 1;
    this.longestGap = Math.max(this.longestGap, now - this.#last);
    this.#last = now;
  }
}
