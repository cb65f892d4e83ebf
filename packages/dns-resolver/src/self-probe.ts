import { createSocket } from "node:dgram";
import type { Clock, Duration } from "@stitch/clock";
import type { ProbeResult } from "@stitch/health";
import { formatEndpoint, type Endpoint } from "@stitch/linux-io";
import { RandomIds } from "./upstream/random-ids.ts";
import { writeOpt, writeOption } from "./wire/edns.ts";
import { AT, HEADER_BYTES, QR, RD } from "./wire/header.ts";
import { parseName } from "./wire/name.ts";
import { put16, sameBytes, u16, u8 } from "./wire/octets.ts";
import { CLASS, OPTION, TYPE } from "./wire/registry.ts";

const LOCALHOST = parseName("localhost") ?? new Uint8Array();
const QUESTION = Uint8Array.from([...LOCALHOST, 0, TYPE.A, 0, CLASS.IN]);
/** 127.0.0.1 as the data of an A record. */
const ADDRESS = Buffer.from([0, 4, 127, 0, 0, 1]);

/**
 * Asks the resolver through its VIP socket, from loopback, as a client would: the address of `localhost` and who
 * answers. Id, question, data and NSID must be right: an answer from another instance on the same address is a wrong one.
 * The port changes with every probe.
 */
export class SelfProbe {
  readonly #clock: Clock;
  readonly #targets: readonly Endpoint[];
  /** The NSID option, whole: `nyc-1` must not pass for `nyc-10`. */
  readonly #identity: Buffer;
  readonly #ids = new RandomIds();
  #turn = 0;

  constructor(clock: Clock, targets: readonly Endpoint[], identity: string) {
    this.#clock = clock;
    this.#targets = targets;
    const name = Buffer.from(identity);
    this.#identity = Buffer.from([0, OPTION.NSID, name.length >>> 8, name.length & 0xff, ...name]);
  }

  readonly probe = (limit: Duration): Promise<ProbeResult> => {
    const target = this.#targets[this.#turn % this.#targets.length] as Endpoint;
    this.#turn += 1;
    const id = this.#ids.next();
    const ipv6 = target.address.includes(":");
    const socket = createSocket({
      type: ipv6 ? "udp6" : "udp4",
      lookup: (host, _options, done) => done(null, host, host.includes(":") ? 6 : 4),
    });
    return new Promise((resolve) => {
      let open = true;
      const finish = (result: ProbeResult): void => {
        if (!open) return;
        open = false;
        timer.cancel();
        socket.close();
        resolve(result);
      };
      const detail = `no answer from ${formatEndpoint(target)}`;
      const timer = this.#clock.after("self-probe", limit, () => finish({ kind: "silent", detail }));
      socket.on("error", (failure) => finish({ kind: "silent", detail: failure.message }));
      // What is not from the VIP or is late says nothing: else whoever knows the port could take the site out.
      socket.on("message", (bytes) => u16(bytes, AT.id) === id && finish(this.#judge(bytes, target)));
      socket.bind({ address: ipv6 ? "::1" : "127.0.0.1", port: 0, exclusive: true }, () =>
        socket.connect(target.port, target.address, (failure?: Error) => {
          if (failure instanceof Error) finish({ kind: "silent", detail: failure.message });
          else if (open) socket.send(query(id));
        }),
      );
    });
  };

  #judge(bytes: Buffer, target: Endpoint): ProbeResult {
    const wrong = (what: string): ProbeResult => ({ kind: "wrong", detail: `${formatEndpoint(target)}: ${what}` });
    if ((u8(bytes, AT.flags) & QR) === 0 || (u8(bytes, AT.lowFlags) & 0x0f) !== 0) return wrong("refused localhost");
    if (!sameBytes(bytes, HEADER_BYTES, QUESTION, 0, QUESTION.length)) return wrong("answered another question");
    if (!bytes.includes(ADDRESS)) return wrong("has a wrong address for localhost");
    return bytes.includes(this.#identity) ? { kind: "answered" } : wrong("is answered by another instance");
  }
}

function query(id: number): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + QUESTION.length + 15);
  put16(bytes, AT.id, id);
  bytes[AT.flags] = RD;
  put16(bytes, AT.questions, 1);
  put16(bytes, AT.additionals, 1);
  bytes.set(QUESTION, HEADER_BYTES);
  const opt = HEADER_BYTES + QUESTION.length;
  writeOption(bytes, opt, writeOpt(bytes, opt, 0, false), OPTION.NSID, new Uint8Array());
  return bytes;
}
