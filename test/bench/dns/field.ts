import { BOTH_CORES, LOAD_CORE, Running, SERVER_CORE } from "../contest.ts";
import { dnsdist } from "./entrants/dnsdist.ts";
import { dnsmasq } from "./entrants/dnsmasq.ts";
import { echo } from "./entrants/echo.ts";
import { knotResolver } from "./entrants/knot-resolver.ts";
import { nsd } from "./entrants/nsd.ts";
import { pdnsRecursor } from "./entrants/pdns-recursor.ts";
import { HEALTH_PORT, stitch } from "./entrants/stitch.ts";
import { unbound } from "./entrants/unbound.ts";
import type { Entrant, Maker, Setup } from "./entrant.ts";
import { workerPorts } from "./worker-ports.ts";

const MEASURED: readonly Maker[] = [stitch, unbound];
const PEERS: readonly Maker[] = [dnsmasq, dnsdist, knotResolver, pdnsRecursor];
const METRICS_EVERY_MS = 1_000;

/** A server that takes no part, and why: a sentence. */
export interface Absence {
  readonly name: string;
  readonly workers: number;
  readonly reason: string;
}

/** All servers that are measured beside each other, with so many workers each. */
export class Field {
  readonly workers: number;
  readonly resolvers: Running[] = [];
  /** Cached answers only: it has no upstream. With one worker only: it has one thread. */
  echo: Running | undefined;
  readonly entrants: Entrant[] = [];
  readonly absent: Absence[] = [];
  /** Memory that each had when its cache was empty. */
  readonly emptyBytes = new Map<string, number>();
  /** For each worker of Stitch a client's port from which it is reached. */
  ports: readonly number[] = [];
  /** How many questions have reached the upstream so far. */
  questions: () => Promise<number> = () => Promise.resolve(0);
  upstream: Running | undefined;
  readonly #running: Running[] = [];
  readonly #metrics = setInterval(readMetrics, METRICS_EVERY_MS);

  static async start(setup: Setup, zone: string, quick: boolean): Promise<Field> {
    const field = new Field(setup.workers);
    try {
      await field.#start(setup, zone, quick);
    } catch (failure) {
      await field.stop();
      throw failure;
    }
    return field;
  }

  private constructor(workers: number) {
    this.workers = workers;
  }

  resolver(name: string): Running {
    const found = this.resolvers.find((each) => each.name === name);
    if (found === undefined) throw new Error(`${name} does not run`);
    return found;
  }

  async stop(): Promise<void> {
    clearInterval(this.#metrics);
    for (const each of this.#running) await each.stop();
  }

  async #start(setup: Setup, zone: string, quick: boolean): Promise<void> {
    const upstream = await nsd(setup.folder, zone);
    this.questions = () => upstream.questions();
    this.upstream = await this.#run(upstream, setup.workers > 1 ? BOTH_CORES : LOAD_CORE);
    for (const maker of MEASURED) await this.#enter(maker, setup);
    for (const maker of quick ? [] : PEERS) await this.#enter(maker, setup);
    this.resolver("stitch");
    this.resolver("unbound");
    if (setup.workers === 1) this.echo = await this.#run(await echo(), SERVER_CORE);
    else this.ports = await workerPorts(this.resolver("stitch").port, setup.workers);
  }

  /** A server that does not start here is told of; the others are measured without it. */
  async #enter(maker: Maker, setup: Setup): Promise<void> {
    const cores = setup.workers > 1 ? BOTH_CORES : SERVER_CORE;
    const { workers } = setup;
    let name = maker.name;
    try {
      const entry = await maker(setup);
      ({ name } = entry);
      if ("absent" in entry) throw new Error(entry.absent);
      const emptyBytes = entry.without === undefined ? undefined : await memoryOf(entry.without, cores);
      const running = await this.#run(entry, cores);
      this.resolvers.push(running);
      this.emptyBytes.set(name, emptyBytes ?? running.residentBytes());
    } catch (failure) {
      this.absent.push({ name, workers, reason: (failure as Error).message });
    }
  }

  async #run(entrant: Entrant, cores: string): Promise<Running> {
    const running = await Running.start(entrant, cores);
    this.#running.push(running);
    this.entrants.push(entrant);
    return running;
  }
}

async function memoryOf(contestant: NonNullable<Entrant["without"]>, cores: string): Promise<number> {
  const running = await Running.start(contestant, cores);
  try {
    return running.residentBytes();
  } finally {
    await running.stop();
  }
}

/** As somebody who collects them would, but more often. */
function readMetrics(): void {
  fetch(`http://127.0.0.1:${HEALTH_PORT}/metrics`).then(
    (answer) => answer.text(),
    () => undefined,
  );
}
