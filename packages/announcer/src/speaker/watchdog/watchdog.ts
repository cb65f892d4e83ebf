import { spawn, type ChildProcess } from "node:child_process";
import { join } from "node:path";
import type { Prefix } from "@stitch/bgp-speaker";
import { scaled, seconds, type Clock, type Duration, type Timer } from "@stitch/clock";
import { BEATS } from "./deadman.ts";
import { HEARTBEAT, lineOf } from "./lines.ts";

const PROGRAM = join(import.meta.dirname, "main.ts");
/** One that ends at once (no memory, no Node) is not started faster than this. */
const RESTART: Duration = seconds(1);

/** What the kernel speaker needs of its watchdog. */
export interface Watchdog {
  start(): void;
  /** Other VIPs than before: from now on it would remove the routes of these. */
  cover(prefixes: readonly Prefix[]): void;
  stop(): void;
  readonly running: boolean;
}

export interface WatchdogEvent {
  /** `ended`: though nobody asked it to; it is started again. `flushed`: it heard nothing of us and took our routes away. */
  readonly kind: "started" | "ended" | "flushed";
  readonly detail: string;
}

export interface WatchdogOptions {
  readonly protocol: number;
  readonly bound: Duration;
  readonly prefixes: readonly Prefix[];
  readonly clock: Clock;
  readonly onEvent: (event: WatchdogEvent) => void;
  /** Starts Node with these arguments. */
  readonly start?: (args: readonly string[]) => ChildProcess;
}

/** A descriptor of our standard error would keep our supervisor waiting for the end of it. */
function startNode(args: readonly string[]): ChildProcess {
  return spawn(process.execPath, args, { cwd: "/", detached: true, stdio: ["pipe", "pipe", "pipe"] });
}

/** The announcer's side of the watchdog: a process of its own session, so that it outlives what ends us. */
export class WatchdogProcess implements Watchdog {
  readonly #options: WatchdogOptions;
  #heart: Timer | undefined;
  #restart: Timer | undefined;
  #child: ChildProcess | undefined;
  #prefixes: readonly Prefix[];
  #stopped = false;

  constructor(options: WatchdogOptions) {
    this.#options = options;
    this.#prefixes = options.prefixes;
  }

  get running(): boolean {
    return this.#child?.pid !== undefined;
  }

  start(): void {
    const { clock, bound } = this.#options;
    this.#spawn();
    this.#heart = clock.every("watchdog-beat", scaled(bound, 1 / BEATS), () => this.#beat());
  }

  /** One that does not run hears of them when it is started. */
  cover(prefixes: readonly Prefix[]): void {
    this.#prefixes = prefixes;
    this.#write(lineOf(prefixes));
  }

  /** Closes the pipe: it finds nothing to remove, and ends. */
  stop(): void {
    this.#stopped = true;
    this.#heart?.cancel();
    this.#restart?.cancel();
    this.#child?.stdin?.end();
  }

  #spawn(): void {
    const { protocol, bound, onEvent, start = startNode } = this.#options;
    const child = start([PROGRAM, String(protocol), String(bound)]);
    let ended = false;
    const end = (detail: string): void => {
      if (ended) return;
      ended = true;
      this.#ended(detail);
    };
    child.once("error", (failure) => end(failure.message));
    child.once("exit", (code, signal) => end(signal ?? `exit ${code}`));
    child.once("spawn", () => onEvent({ kind: "started", detail: `pid ${child.pid}, bound ${bound} ms` }));
    // Where we are out of descriptors (EMFILE) there are no pipes, whatever the types say.
    child.stderr?.resume();
    child.stdin?.on("error", () => undefined);
    child.stdout?.setEncoding("utf8").on("data", (text: string) => onEvent({ kind: "flushed", detail: text.trim() }));
    this.#child = child;
    this.#write(lineOf(this.#prefixes));
    this.#letGo(child);
  }

  /** Neither the process nor its pipes keep the announcer from ending. */
  #letGo(child: ChildProcess): void {
    child.unref();
    for (const stream of [child.stdin, child.stdout, child.stderr]) {
      if (stream && "unref" in stream && typeof stream.unref === "function") stream.unref();
    }
  }

  #ended(detail: string): void {
    this.#child = undefined;
    if (this.#stopped) return;
    this.#options.onEvent({ kind: "ended", detail });
    const again = (): void => {
      if (!this.#stopped) this.#spawn();
    };
    this.#restart = this.#options.clock.after("watchdog-restart", RESTART, again);
  }

  /** One that does not read gets no more bytes than the pipe holds. */
  #beat(): void {
    if (this.#child?.stdin?.writableLength === 0) this.#write(HEARTBEAT);
  }

  #write(line: string): void {
    const stdin = this.#child?.stdin;
    if (stdin?.writable === true) stdin.write(line);
  }
}
