import type { Peer } from "@stitch/peers";
import { execa } from "execa";

import type { Wire } from "../bgp/wire.ts";

/** Drops everything on the wire at the host, in both directions, while the link stays up: a silent cut. */
export class Cut {
  readonly #nft: Peer;
  readonly #wire: Wire;

  constructor(nft: Peer, wire: Wire) {
    this.#nft = nft;
    this.#wire = wire;
  }

  /** When it was made: ms of the system's monotonic clock. */
  async make(): Promise<number> {
    await this.#run(`table inet cut {\n${["input", "output"].map(chain).join("\n")}\n}`);
    return Number(process.hrtime.bigint()) / 1e6;
  }

  async mend(): Promise<void> {
    await this.#run("delete table inet cut");
  }

  async #run(rules: string): Promise<void> {
    const [file = "", ...args] = this.#wire.host.enter([this.#nft.program("nft"), "-f", "-"]);
    await execa(file, args, { env: this.#nft.env, input: rules });
  }
}

function chain(hook: string): string {
  const side = hook === "input" ? "iifname" : "oifname";
  return `chain ${hook} { type filter hook ${hook} priority -300; ${side} "wire0" drop; }`;
}
