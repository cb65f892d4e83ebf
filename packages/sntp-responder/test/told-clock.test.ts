import { milliseconds, seconds, SystemClock } from "@stitch/clock";
import { FakeClock } from "@stitch/clock/testing";
import { Outcomes } from "@stitch/health";
import { afterEach, describe, expect, test } from "vitest";
import { exchange } from "../src/exchange.ts";
import type { ClockState, Synchronised } from "../src/host-clock/clock-state.ts";
import { ToldClock } from "../src/host-clock/told-clock.ts";
import { REASONS } from "../src/reasons.ts";
import { Server } from "../src/server.ts";
import { decodeServerReply, encodeClientRequest } from "../src/wire/client.ts";
import { referenceIdOf, ZERO_TIMESTAMP, type Header } from "../src/wire/index.ts";

const GOOD: Synchronised = {
  kind: "synchronised",
  leap: 0,
  stratum: 3,
  precision: -20,
  referenceId: 0xc000_0201,
  reference: ZERO_TIMESTAMP,
  rootDelay: 0.01,
  rootDispersion: 0.001,
};
const LOST: ClockState = { kind: "unsynchronised", kiss: "", detail: "fell silent" };

/** A worker's clock, and everything that it was told to serve. */
function worker(clock = new FakeClock()): {
  clock: FakeClock;
  told: ToldClock;
  served: ClockState[];
  tell(s: ClockState): void;
} {
  const served: ClockState[] = [];
  const told = new ToldClock(clock, (state) => served.push(state));
  return { clock, told, served, tell: (state) => told.hear({ state, wallMicros: clock.wallMicros() }) };
}

describe("the clock as a worker knows it", () => {
  test("is what the main thread says, told once for each change", () => {
    const { told, served, tell, clock } = worker();
    told.look();
    expect(served).toEqual([]); // the responder itself begins with INIT
    tell(GOOD);
    told.look();
    told.look();
    expect(served).toEqual([GOOD]);
    clock.advance(milliseconds(100));
    tell(LOST);
    expect(served).toEqual([GOOD, LOST]);
  });

  test("is believed for a second after the main thread's last word, and again when it speaks", () => {
    const { told, served, tell, clock } = worker();
    tell(GOOD);
    clock.advance(milliseconds(990));
    told.look();
    expect(served).toEqual([GOOD]);
    clock.advance(milliseconds(20));
    told.look();
    expect(served.at(-1)).toMatchObject({ kind: "unsynchronised", kiss: "" });
    tell(GOOD);
    expect(served.at(-1)).toBe(GOOD);
  });

  test("is not believed when the last word was said long before it was heard: the process had been stopped", () => {
    const { told, served, clock } = worker();
    const wallMicros = clock.wallMicros();
    clock.advance(seconds(3_600));
    told.hear({ state: GOOD, wallMicros });
    expect(served).toMatchObject([{ kind: "unsynchronised", kiss: "" }]);
  });

  test.each([-7_200_000_000, -2_000, 2_000, 7_200_000_000])(
    "is known to be stepped by %d µs before the next batch, and for 10 s whatever the main thread says",
    (micros) => {
      const { told, served, tell, clock } = worker();
      tell(GOOD);
      clock.stepWall(micros);
      told.look();
      expect(served.at(-1)).toMatchObject({ kind: "unsynchronised", kiss: "STEP" });
      expect(told.stepped).toBe(true);
      clock.advance(milliseconds(9_900));
      tell(GOOD);
      expect(served.at(-1)).toMatchObject({ kiss: "STEP" });
      clock.advance(milliseconds(200));
      tell(GOOD);
      expect(served.at(-1)).toBe(GOOD);
      expect(told.stepped).toBe(false);
    },
  );

  test("an announced leap second at midnight is no step", () => {
    const { told, served, tell, clock } = worker(new FakeClock(Date.UTC(2026, 11, 31, 23, 59, 59) * 1_000));
    const announced: Synchronised = { ...GOOD, leap: 1 };
    tell(announced);
    clock.advance(milliseconds(900));
    tell(announced);
    clock.advance(milliseconds(200));
    clock.stepWall(-1_000_000);
    told.look();
    expect(served.map(({ kind }) => kind)).toEqual(["synchronised"]);
  });
});

const servers: Server[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

/** The parts of a worker, put together as it does, on a clock that the test moves. */
async function serving(
  clock: FakeClock,
): Promise<{ tell(state: ClockState): void; ask(): Promise<Header | undefined> }> {
  const server: Server = await Server.open({
    listen: [{ address: "127.77.4.1", port: 0 }],
    workers: 1,
    clock,
    outcomes: new Outcomes(new Float64Array(REASONS.length)),
    beforeBatch: () => told.look(),
    onFailure: (failure) => {
      throw failure;
    },
  });
  servers.push(server);
  const told: ToldClock = new ToldClock(clock, (state) => server.serve(state));
  const cookie = new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8]);
  const ask = async (): Promise<Header | undefined> => {
    const answer = await exchange<Header>({
      to: server.locals[0] ?? { address: "127.77.4.1", port: 1 },
      clock: new SystemClock(),
      limit: seconds(5),
      request: () => encodeClientRequest(cookie),
      accept: (bytes) => decodeServerReply(bytes, cookie),
    });
    return answer.kind === "answer" ? answer.value : undefined;
  };
  return { ask, tell: (state) => told.hear({ state, wallMicros: clock.wallMicros() }) };
}

describe("a worker's socket", () => {
  test("sends not a single reply as good between a step of the clock and its discovery", async () => {
    const clock = new FakeClock(new SystemClock().wallMicros());
    const { ask, tell } = await serving(clock);
    expect(await ask()).toMatchObject({ leap: 3, stratum: 0, referenceId: referenceIdOf("INIT") });
    tell(GOOD);
    expect(await ask()).toMatchObject({ leap: 0, stratum: 3 });
    clock.stepWall(-7_200_000_000);
    expect(await ask()).toMatchObject({ leap: 3, stratum: 0, referenceId: referenceIdOf("STEP") });
  });

  test("sends no reply as good when the main thread has fallen silent", async () => {
    const clock = new FakeClock(new SystemClock().wallMicros());
    const { ask, tell } = await serving(clock);
    tell(GOOD);
    clock.advance(milliseconds(1_100));
    expect(await ask()).toMatchObject({ leap: 3, stratum: 0, referenceId: 0 });
  });
});
