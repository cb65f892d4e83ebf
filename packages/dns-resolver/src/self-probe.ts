import { getSystemErrorName } from "node:util";
import type { Clock, Duration, Timer } from "@stitch/clock";
import type { ProbeResult } from "@stitch/health";
import { formatEndpoint, openSocketSet, SEND_ERROR } from "@stitch/linux-io";
import type { Endpoint, SetArrivals, SocketSet } from "@stitch/linux-io";
import { RandomIds } from "./upstream/random-ids.ts";
import { recordOf } from "./upstream/udp-exchange.ts";
import { writeOpt, writeOption } from "./wire/edns.ts";
import { AT, HEADER_BYTES, QR, RD } from "./wire/header.ts";
import { parseName } from "./wire/name.ts";
import { put16, sameBytes, u16, u8 } from "./wire/octets.ts";
import { CLASS, OPTION, TYPE } from "./wire/registry.ts";

const LOCALHOST = parseName("localhost") ?? new Uint8Array();
const QUESTION = Uint8Array.from([...LOCALHOST, 0, TYPE.A, 0, CLASS.IN]);
/** 127.0.0.1 as the data of an A record. */
const ADDRESS = Buffer.from([0, 4, 127, 0, 0, 1]);
/** Its answer has not half of it. */
const SLOT_SIZE = 512;
/** Probes that wait at once, with room for one of each worker. */
const MOST_AT_ONCE = 16;

/** Whom to ask, worked out once. */
interface Target {
  readonly text: string;
  /** Endpoint records: our own address with no port yet, and the VIP's. */
  readonly from: Uint8Array;
  readonly to: Uint8Array;
}

interface Asked {
  readonly id: number;
  readonly target: Target;
  readonly timer: Timer;
  readonly resolve: (result: ProbeResult) => void;
}

/**
 * Asks the resolver through its VIP socket, from loopback, as a client would: the address of `localhost` and who
 * answers. Id, question, data and NSID must be right: an answer from another instance on the same address is a wrong one.
 * The port changes with every probe. Where the main thread shares a core with a worker, what a probe costs is what a
 * client's query waits for: so they go through a socket set. With node:dgram one cached answer in a hundred took 129 to 164 us
 * at half load, instead of 75 to 120 (measured, every thread realtime).
 */
export class SelfProbe {
  readonly #clock: Clock;
  readonly #targets: readonly Target[];
  /** The NSID option, whole: `nyc-1` must not pass for `nyc-10`. */
  readonly #identity: Buffer;
  readonly #ids = new RandomIds();
  readonly #query = query();
  readonly #set: SocketSet;
  /** By place in the set. */
  readonly #asked: (Asked | undefined)[] = [];
  #turn = 0;

  constructor(clock: Clock, targets: readonly Endpoint[], identity: string) {
    this.#clock = clock;
    this.#targets = targets.map(targetOf);
    const name = Buffer.from(identity);
    this.#identity = Buffer.from([0, OPTION.NSID, name.length >>> 8, name.length & 0xff, ...name]);
    this.#set = openSocketSet({
      clock,
      most: MOST_AT_ONCE,
      slotSize: SLOT_SIZE,
      batchSize: MOST_AT_ONCE,
      onBatch: (arrivals) => this.#arrived(arrivals),
      onFailure: (failure) => {
        throw failure; // reading an answer never throws: a defect that the process must not survive unnoticed
      },
    });
  }

  readonly probe = (limit: Duration): Promise<ProbeResult> => {
    const target = this.#targets[this.#turn % this.#targets.length] as Target;
    this.#turn += 1;
    const place = this.#set.open(target.from, target.to);
    if (place < 0) return Promise.resolve(unasked(target, place));
    const id = this.#ids.next();
    const { promise, resolve } = Promise.withResolvers<ProbeResult>();
    const timer = this.#clock.after("self-probe", limit, () => this.#silent(place, `no answer from ${target.text}`));
    this.#asked[place] = { id, target, timer, resolve };
    put16(this.#query, AT.id, id);
    const sent = this.#set.send(place, this.#query);
    if (sent < 0) this.#finish(place, unasked(target, sent));
    return promise;
  };

  /** What waits comes to silence. */
  close(): Promise<void> {
    for (const place of this.#asked.keys()) this.#silent(place, "the service stops");
    return this.#set.close();
  }

  #arrived(arrivals: SetArrivals): void {
    for (let slot = 0; slot < arrivals.count; slot += 1) {
      const place = arrivals.sockets[slot] ?? -1;
      const asked = this.#asked[place];
      if (asked === undefined) continue;
      const length = arrivals.lengths[slot] ?? 0;
      if (((arrivals.flags[slot] ?? 0) & SEND_ERROR) !== 0) {
        this.#finish(place, unasked(asked.target, -length));
        continue;
      }
      const at = slot * arrivals.slotSize;
      const bytes = arrivals.bytes.subarray(at, at + length);
      // What is late or made up says nothing: else whoever knows the port could take the site out.
      if (length >= HEADER_BYTES && u16(bytes, AT.id) === asked.id)
        this.#finish(place, this.#judge(bytes, asked.target));
    }
  }

  #silent(place: number, detail: string): void {
    this.#finish(place, { kind: "silent", detail });
  }

  #finish(place: number, result: ProbeResult): void {
    const asked = this.#asked[place];
    if (asked === undefined) return;
    this.#asked[place] = undefined;
    asked.timer.cancel();
    this.#set.closeSocket(place);
    asked.resolve(result);
  }

  #judge(answer: Uint8Array, { text }: Target): ProbeResult {
    const wrong = (what: string): ProbeResult => ({ kind: "wrong", detail: `${text}: ${what}` });
    const bytes = Buffer.from(answer.buffer, answer.byteOffset, answer.length);
    if ((u8(bytes, AT.flags) & QR) === 0 || (u8(bytes, AT.lowFlags) & 0x0f) !== 0) return wrong("refused localhost");
    if (!sameBytes(bytes, HEADER_BYTES, QUESTION, 0, QUESTION.length)) return wrong("answered another question");
    if (!bytes.includes(ADDRESS)) return wrong("has a wrong address for localhost");
    return bytes.includes(this.#identity) ? { kind: "answered" } : wrong("is answered by another instance");
  }
}

function targetOf(endpoint: Endpoint): Target {
  const loopback = endpoint.address.includes(":") ? "::1" : "127.0.0.1";
  return {
    text: formatEndpoint(endpoint),
    from: recordOf({ address: loopback, port: 0 }),
    to: recordOf(endpoint),
  };
}

function unasked({ text }: Target, errno: number): ProbeResult {
  return { kind: "silent", detail: `${text} cannot be asked (${getSystemErrorName(errno)})` };
}

/** But for its id. */
function query(): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + QUESTION.length + 15);
  bytes[AT.flags] = RD;
  put16(bytes, AT.questions, 1);
  put16(bytes, AT.additionals, 1);
  bytes.set(QUESTION, HEADER_BYTES);
  const opt = HEADER_BYTES + QUESTION.length;
  writeOption(bytes, opt, writeOpt(bytes, opt, 0, false), OPTION.NSID, new Uint8Array());
  return bytes;
}
