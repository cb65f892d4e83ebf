import type { BfdChange } from "@stitch/bfd";
import { SiteDocument } from "@stitch/config";
import { FakeClock } from "@stitch/clock/testing";
import { expect, test } from "vitest";
import { BfdWatch } from "../src/bfd-watch.ts";
import { announcerConfig } from "../src/config.ts";
import { Journal } from "../src/journal.ts";
import { FakeBfd } from "./fake-bfd.ts";

const SITE = `site: nyc
announcer:
  asn: 65101
  routerId: 10.1.0.10
  peers:
    - { address: 10.1.0.1, asn: 65100, localAddress: 10.1.0.10, bfd: { interval: 50ms } }
    - { address: 10.1.0.2, asn: 65100 }
    - { address: 10.1.0.3, asn: 65100, bfd: {} }
  vips: [ { prefix: 10.10.10.53/32, service: dns, check: { lease: "http://127.0.0.1:8153" } } ]
`;

function watching() {
  const clock = new FakeClock();
  const journal = new Journal(undefined, clock, (failure) => expect.fail(failure.message));
  const { peers } = announcerConfig(SiteDocument.parse(SITE, "site.yaml"));
  const lost: string[] = [];
  let fake: FakeBfd | undefined;
  const watch = new BfdWatch(
    (onChange) => (fake = new FakeBfd(onChange)),
    peers,
    journal,
    (peer) => lost.push(peer),
  );
  watch.start();
  if (fake === undefined) throw new Error("BFD was not opened");
  const change = (more: Partial<BfdChange>): void =>
    fake?.change({
      address: "10.1.0.1",
      from: "Up",
      to: "Down",
      reason: "detection-expired",
      lost: true,
      at: clock.now(),
      ...more,
    });
  return { watch, fake, journal, lost, change };
}

test("asks for BFD with those peers that want it, as they want it", () => {
  const { fake, watch } = watching();
  expect(fake.wanted).toEqual([
    { address: "10.1.0.1", localAddress: "10.1.0.10", interval: 50, multiplier: 3 },
    { address: "10.1.0.3", localAddress: undefined, interval: 300, multiplier: 3 },
  ]);
  expect([watch.wanted, watch.shortestInterval]).toEqual([true, 50]);
});

test("a lost path ends its BGP session in the same turn, and is journalled", () => {
  const { change, lost, journal } = watching();
  change({});
  expect(lost).toEqual(["10.1.0.1"]);
  expect(journal.entries).toMatchObject([
    { kind: "session", peer: "10.1.0.1", from: "BFD Up", to: "BFD Down", reason: "detection-expired" },
  ]);
});

test("a planned end, and coming up, leave BGP alone and are journalled too", () => {
  const { change, lost, journal } = watching();
  change({ reason: "peer-admin-down", lost: false });
  change({ from: "Init", to: "Up", reason: "handshake-complete", lost: false });
  expect(lost).toEqual([]);
  expect(journal.entries).toHaveLength(2);
});
