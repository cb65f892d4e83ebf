import { milliseconds, minutes, seconds } from "@stitch/clock";
import { describe, expect, test } from "vitest";

import { formatPrefix, type SessionEvent } from "../src/index.ts";
import { decodeUpdate, encodeUpdate } from "../src/wire/index.ts";
import { asSequence } from "../src/wire/as-path.ts";
import { prefix } from "./prefix.ts";
import { Bench, MODERN, ROUTER } from "./wire-peer.ts";

// Owners react to events at once, in the middle of whatever the session is doing.

const VIP = prefix("10.10.10.53/32");
const NTP = prefix("10.10.10.123/32");

/** A bench whose owner reacts to events. */
function reacting(react: (event: SessionEvent, bench: Bench) => void): Bench {
  const bench: Bench = new Bench(
    {},
    {
      watch: [VIP],
      onEvent: (event) => {
        bench.events.push(event);
        react(event, bench);
      },
    },
  );
  return bench;
}

function sayPath(bench: Bench): void {
  const attributes = { origin: 0, asPath: asSequence([ROUTER.asn]), nextHop: "192.0.2.7" };
  bench.router.say(encodeUpdate({ withdrawn: [], attributes, announced: [VIP] }, true));
}

/** What the router has of us after all it heard. */
function held(bench: Bench): string[] {
  const routes = new Set<string>();
  for (const framed of bench.router.heard) {
    if (framed.type === "open") routes.clear();
    const update = framed.type === "update" ? decodeUpdate(framed.body, MODERN) : undefined;
    if (update?.ok !== true) continue;
    for (const gone of update.value.withdrawn) routes.delete(gone.address);
    for (const come of update.value.announced) routes.add(come.address);
  }
  return [...routes].toSorted();
}

describe("set from within an event", () => {
  test.each(["OpenSent", "OpenConfirm", "Established"])("on entering %s is what the router gets", (state) => {
    const bench = reacting((event, { session }) => {
      if (event.kind === "state" && event.to === state) session.set([{ prefix: NTP }]);
    });
    bench.session.set([{ prefix: VIP }]);
    bench.toEstablished();
    bench.settle();
    expect(held(bench)).toEqual(["10.10.10.123"]);
    expect(bench.session.status.announced).toEqual(["10.10.10.123/32"]);
  });

  test("update-sent is what the router gets, though the session was just sending", () => {
    const bench = reacting((event, { session }) => {
      const announced = event.kind === "update-sent" ? event.announced.map(formatPrefix) : [];
      if (announced.includes(formatPrefix(VIP))) session.set([{ prefix: NTP }]);
    });
    bench.session.set([{ prefix: VIP }]);
    bench.toEstablished();
    bench.settle();
    expect(held(bench)).toEqual(["10.10.10.123"]);
  });

  test("the end of a session waits for the next", () => {
    const bench = reacting((event, { session }) => {
      if (event.kind === "state" && event.to === "Idle") session.set([{ prefix: NTP }]);
    });
    bench.session.set([{ prefix: VIP }]);
    bench.toEstablished();
    bench.router.close();
    bench.settle();
    expect(bench.session.status.announced).toEqual([]);
    bench.advance(seconds(1));
    bench.router.sayOpen();
    bench.settle();
    bench.router.sayKeepalive();
    bench.settle();
    expect(held(bench)).toEqual(["10.10.10.123"]);
  });
});

describe("stop from within an event", () => {
  test.each(["path", "notification", "Established"])(
    "(%s) resolves only when the connection is closed",
    async (when) => {
      let stopped = false;
      const bench = reacting((event, { session }) => {
        const reached = event.kind === when || (event.kind === "state" && event.to === when);
        if (reached) void session.stop("enough").then(() => (stopped = true));
      });
      bench.toOpenConfirm();
      bench.network.stalled = true;
      bench.router.sayKeepalive();
      bench.settle();
      sayPath(bench);
      if (when === "notification") bench.router.notify(6, 4);
      bench.settle();
      expect(bench.session.state).toBe("Idle");
      await new Promise<void>((resolve) => setImmediate(resolve));
      expect(stopped).toBe(false);
      await bench.clock.run(seconds(1));
      expect(stopped).toBe(true);
      bench.advance(minutes(5));
      expect(bench.router.connections).toBe(1);
      expect(bench.clock.waiting).toEqual([]);
    },
  );

  test("and start after it begins anew while the old connection is closing", async () => {
    const bench = new Bench();
    bench.session.set([{ prefix: VIP }]);
    bench.toEstablished();
    bench.network.stalled = true;
    const stopped = bench.session.stop("restart");
    bench.session.start();
    bench.advance(milliseconds(500));
    expect(bench.router.connections).toBe(2);
    bench.network.resume();
    bench.router.sayOpen();
    bench.settle();
    bench.router.sayKeepalive();
    bench.live(seconds(2));
    await stopped;
    expect(bench.session.state).toBe("Established");
    expect(bench.session.status.announced).toEqual(["10.10.10.53/32"]);
    bench.live(seconds(60));
    expect(bench.session.status.established).toBe(2);
  });
});
