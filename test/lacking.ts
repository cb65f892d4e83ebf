import { loadNative } from "@stitch/linux-io";
import { namespacesUnavailable, peerAvailability, type PeerName } from "@stitch/peers";
import { describe } from "vitest";
import { CI } from "./report.ts";

export interface Needs {
  /** Network namespaces, and so root. */
  readonly namespaces?: boolean;
  readonly addon?: boolean;
  /** Programs of others. */
  readonly peers?: readonly PeerName[];
}

/** What of it this machine lacks, as a sentence; undefined where it has everything. */
export async function lacking({ namespaces = false, addon = false, peers = [] }: Needs): Promise<string | undefined> {
  const unavailable = namespaces ? await namespacesUnavailable() : undefined;
  const load = loadNative();
  const unbuilt = addon && load.native === undefined ? load.why : undefined;
  const found = await Promise.all(peers.map((name) => peerAvailability(name)));
  return unavailable ?? unbuilt ?? found.flatMap((one) => (one.ok ? [] : [one.reason]))[0];
}

/**
 * A block of tests, left out where the machine lacks something: its name says what. CI has everything and leaves nothing
 * out; what is missing there fails.
 */
export function describeUnless(lacks: string | undefined, name: string, tests: () => void): void {
  const reason = CI ? undefined : lacks;
  describe.skipIf(reason !== undefined)(`${name}${reason === undefined ? "" : ` (${reason})`}`, () => void tests());
}
