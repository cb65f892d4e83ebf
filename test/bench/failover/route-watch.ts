import { type LabProcess, type Nanoseconds, startProcess } from "@stitch/lab";
import { clockStepReference, type Namespace } from "@stitch/peers";
import { eventually } from "../../interop/bgp/wire.ts";
import { parseRouteLine } from "./route-line.ts";

interface Change {
  readonly time: Nanoseconds;
  readonly via: string | undefined;
}

/** Every change of one route in a kernel's table, with the time at which the kernel told of it. */
export class RouteWatch {
  readonly #monitor: LabProcess;
  readonly #prefix: string;
  readonly #changes: Change[] = [];
  #over = false;

  /** From before there is such a route; resolves once a change is seen to arrive. */
  static async start(namespace: Namespace, prefix: string): Promise<RouteWatch> {
    const argv = namespace.enter(["ip", "-4", "-ts", "monitor", "route"]);
    const watch = new RouteWatch(startProcess(argv, { TZ: "UTC" }), prefix);
    await eventually("ip monitor tells of a route", 20_000, async () => {
      await change(namespace, "add", prefix);
      await change(namespace, "del", prefix);
      return watch.#changes.length >= 2 ? true : undefined;
    });
    return watch;
  }

  private constructor(monitor: LabProcess, prefix: string) {
    this.#monitor = monitor;
    this.#prefix = prefix;
    void this.#read();
  }

  /** The next hop now. */
  get via(): string | undefined {
    if (this.#over) throw new Error(`ip monitor has ended: ${this.#monitor.complaints()}`);
    return this.#changes.at(-1)?.via;
  }

  /** When the route had this next hop no more, at or after `since`; undefined: it still has. */
  left(via: string, since: Nanoseconds): Nanoseconds | undefined {
    if (this.via === via) return undefined;
    return this.#changes.find((each) => each.time >= since && each.via !== via)?.time;
  }

  stop(): void {
    this.#monitor.kill();
  }

  async #read(): Promise<void> {
    for (;;) {
      const line = await this.#monitor.line();
      if (line === undefined) break;
      const told = parseRouteLine(line, this.#prefix);
      if (told === undefined) continue;
      const time = (told.wall - clockStepReference()) as Nanoseconds;
      this.#changes.push({ time, via: told.via });
    }
    this.#over = true;
  }
}

async function change(namespace: Namespace, what: "add" | "del", prefix: string): Promise<void> {
  const done = startProcess(namespace.enter(["ip", "route", what, prefix, "dev", "lo"]), {}).done;
  if ((await done) !== 0) throw new Error(`ip route ${what} ${prefix} failed`);
}
