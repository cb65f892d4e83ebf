import { milliseconds, seconds } from "@stitch/clock";
import { FakeClock } from "@stitch/clock/testing";
import { describe, expect, test } from "vitest";
import type { ClockReading, ClockState } from "../src/host-clock/clock-state.ts";
import { FirstOf } from "../src/host-clock/first-of.ts";
import { HostClock } from "../src/host-clock/host-clock.ts";
import { LocalSource } from "../src/host-clock/local.ts";
import type { ClockSource, SourceAnswer } from "../src/host-clock/source.ts";
import { StepDetector } from "../src/host-clock/step-detector.ts";
import { ZERO_TIMESTAMP } from "../src/wire/index.ts";

/** A source that says what it is told to say. */
class ScriptedSource implements ClockSource {
  readonly name: string;
  readonly #clock: FakeClock;
  change: Partial<ClockReading> | "silent" = {};
  asked = 0;

  constructor(clock: FakeClock, name = "daemon") {
    this.#clock = clock;
    this.name = name;
  }

  read(): Promise<SourceAnswer> {
    this.asked += 1;
    if (this.change === "silent") return Promise.resolve({ kind: "none", detail: "does not answer" });
    const reading: ClockReading = {
      at: this.#clock.now(),
      leap: 0,
      stratum: 3,
      precision: -20,
      referenceId: 0xc000_0201,
      reference: ZERO_TIMESTAMP,
      rootDelay: 0.01,
      rootDispersion: 0.001,
      ...this.change,
    };
    return Promise.resolve({ kind: "reading", reading });
  }
}

async function started(wall?: number): Promise<{
  clock: FakeClock;
  source: ScriptedSource;
  host: HostClock;
  last: () => ClockState;
}> {
  const clock = new FakeClock(wall);
  const source = new ScriptedSource(clock);
  let state: ClockState | undefined;
  const host = new HostClock({ clock, source, onState: (now) => (state = now) });
  await host.start();
  const last = (): ClockState => {
    if (state === undefined) throw new Error("no state yet");
    return state;
  };
  return { clock, source, host, last };
}

describe("the host's clock", () => {
  test("is what its source says it is, stratum not increased", async () => {
    const { last } = await started();
    expect(last()).toMatchObject({ kind: "synchronised", stratum: 3, leap: 0, rootDelay: 0.01, rootDispersion: 0.001 });
  });

  test("is asked for every second", async () => {
    const { clock, source } = await started();
    await clock.run(seconds(5));
    expect(source.asked).toBe(6);
  });

  test("grows less certain by 15 ppm while the source is silent", async () => {
    const { clock, source, host } = await started();
    source.change = "silent";
    await clock.run(seconds(8));
    const state = host.state();
    expect(state.kind === "synchronised" && state.rootDispersion).toBeCloseTo(0.001 + 8 * 15e-6, 9);
  });

  test("is unsynchronised after 10 s of silence, and synchronised again with the next answer", async () => {
    const { clock, source, last } = await started();
    source.change = "silent";
    await clock.run(seconds(9.9));
    expect(last().kind).toBe("synchronised");
    await clock.run(seconds(0.3));
    expect(last()).toMatchObject({ kind: "unsynchronised", kiss: "" });
    source.change = {};
    await clock.run(seconds(1));
    expect(last().kind).toBe("synchronised");
  });

  test.each([{ leap: 3 }, { stratum: 0 }, { stratum: 16 }] as const)(
    "is unsynchronised when told %j",
    async (change) => {
      const { clock, source, last } = await started();
      source.change = change;
      await clock.run(seconds(1.1));
      expect(last().kind).toBe("unsynchronised");
    },
  );

  test("has never been synchronised before the first good answer: INIT", async () => {
    const clock = new FakeClock();
    const source = new ScriptedSource(clock);
    source.change = "silent";
    const host = new HostClock({ clock, source, onState: () => {} });
    expect(host.state()).toMatchObject({ kind: "unsynchronised", kiss: "INIT" });
    await host.start();
    expect(host.state()).toMatchObject({ kind: "unsynchronised", kiss: "INIT", detail: "daemon: does not answer" });
    expect([host.polls, host.silentPolls, host.readingAge]).toEqual([1, 1, undefined]);
  });

  test("is not believed for 10 s after it was stepped", async () => {
    const { clock, host, last } = await started();
    clock.stepWall(5_000);
    await clock.run(milliseconds(100));
    expect(last()).toMatchObject({ kind: "unsynchronised", kiss: "STEP" });
    expect([host.stepped, host.stepCount]).toEqual([true, 1]);
    await clock.run(seconds(9.8));
    expect(host.stepped).toBe(true);
    await clock.run(seconds(0.3));
    expect(last().kind).toBe("synchronised");
    expect([host.stepped, host.stepCount]).toEqual([false, 1]);
  });

  test("a step of less than a millisecond is none", async () => {
    const { clock, host } = await started();
    clock.stepWall(-900);
    await clock.run(seconds(1));
    expect(host.stepCount).toBe(0);
  });

  test("an announced leap second at midnight is no step; the same at noon is", async () => {
    const midnight = Date.UTC(2027, 0, 1) * 1_000;
    for (const [beginning, steps] of [
      [midnight - 2_000_000, 0],
      [midnight + 43_200_000_000, 1],
    ] as const) {
      const { clock, source, host } = await started(beginning);
      source.change = { leap: 1 };
      await clock.run(seconds(2));
      clock.stepWall(-1_000_000);
      await clock.run(seconds(1));
      expect(host.stepCount).toBe(steps);
    }
  });

  test("that is leap second is none though the daemon has already taken its announcement back", async () => {
    const { clock, source, host } = await started(Date.UTC(2027, 0, 1) * 1_000 - 2_000_000);
    source.change = { leap: 1 };
    await clock.run(seconds(1.5));
    source.change = { leap: 0 };
    await clock.run(seconds(1.5));
    clock.stepWall(-1_000_000);
    await clock.run(seconds(1));
    expect(host.stepCount).toBe(0);
  });

  test("an announcement that was taken back long ago excuses nothing", async () => {
    const midnight = Date.UTC(2027, 0, 1) * 1_000;
    const { clock, source, host } = await started(midnight - 180_000_000);
    source.change = { leap: 1 };
    await clock.run(seconds(2), milliseconds(100));
    source.change = { leap: 0 };
    await clock.run(seconds(180), milliseconds(100));
    clock.stepWall(-1_000_000);
    await clock.run(seconds(1));
    expect(host.stepCount).toBe(1);
  });

  test("is asked for again although a question failed in an unforeseen way", async () => {
    const { clock, source, host, last } = await started();
    const read = source.read.bind(source);
    source.read = () => Promise.reject(new Error("EMFILE"));
    await clock.run(seconds(12));
    expect(last()).toMatchObject({ kind: "unsynchronised", detail: "daemon fell silent: EMFILE" });
    source.read = read;
    await clock.run(seconds(1));
    expect(last().kind).toBe("synchronised");
    expect(host.silentPolls).toBeGreaterThan(8);
  });

  test("stops asking when told to", async () => {
    const { clock, host } = await started();
    host.stop();
    expect(clock.waiting).toEqual([]);
  });
});

const pair = (before: number, wallMs: number, after: number): Parameters<StepDetector["observe"]>[0] =>
  ({ before, wallMicros: wallMs * 1_000, after }) as never;

describe("step detector", () => {
  test("does not take an interruption between two readings for a step", () => {
    const detector = new StepDetector();
    expect(detector.observe(pair(0, 1_000_000, 0), 0)).toBe(0);
    expect(detector.observe(pair(100, 1_000_140, 140), 0)).toBe("uncertain");
    expect(detector.observe(pair(200, 1_000_200, 200), 0)).toBe(0);
  });

  test("tells how far the clock went, and in which direction", () => {
    const detector = new StepDetector();
    detector.observe(pair(0, 1_000_000, 0), 0);
    expect(detector.observe(pair(100, 999_100, 100), 0)).toBeCloseTo(-1_000, 6);
  });

  test("sees time that passed while the machine slept", () => {
    const detector = new StepDetector();
    detector.observe(pair(0, 1_000_000, 0), 0);
    expect(detector.observe(pair(100, 4_600_100, 100), 0)).toBeCloseTo(3_600_000, 6);
  });
});

describe("auto", () => {
  test("prefers the first source, falls back to the second, and returns to the first", async () => {
    const clock = new FakeClock();
    const chronyd = new ScriptedSource(clock, "chronyd");
    const daemon = new ScriptedSource(clock, "ntp");
    daemon.change = { stratum: 5 };
    const auto = new FirstOf([chronyd, daemon], clock);
    const stratum = async (): Promise<number | string> => {
      const answer = await auto.read(seconds(1));
      return answer.kind === "reading" ? answer.reading.stratum : answer.detail;
    };
    expect(await stratum()).toBe(3);
    expect(daemon.asked).toBe(0);
    chronyd.change = "silent";
    clock.advance(seconds(5));
    expect(await stratum()).toBe(5);
    daemon.change = "silent";
    expect(await stratum()).toBe("chronyd: does not answer; ntp: does not answer");
    chronyd.change = {};
    expect(await stratum()).toBe(3);
  });

  test("does not ask another because the preferred one missed a question: its last word stands, and ages", async () => {
    const clock = new FakeClock();
    const chronyd = new ScriptedSource(clock, "chronyd");
    const daemon = new ScriptedSource(clock, "ntp");
    chronyd.change = { leap: 3, stratum: 0 };
    const host = new HostClock({ clock, source: new FirstOf([chronyd, daemon], clock), onState: () => {} });
    await host.start();
    for (let i = 0; i < 20; i += 1) {
      chronyd.change = i % 3 === 0 ? { leap: 3, stratum: 0 } : "silent";
      await clock.run(seconds(1));
      expect(host.state().kind).toBe("unsynchronised");
    }
    expect(daemon.asked).toBe(0);
  });

  test("changes to the second source without a gap when the first is gone for good", async () => {
    const clock = new FakeClock();
    const chronyd = new ScriptedSource(clock, "chronyd");
    const daemon = new ScriptedSource(clock, "ntp");
    daemon.change = { stratum: 5 };
    const kinds = new Set<string>();
    const source = new FirstOf([chronyd, daemon], clock);
    const host = new HostClock({ clock, source, onState: ({ kind }) => void kinds.add(kind) });
    await host.start();
    chronyd.change = "silent";
    await clock.run(seconds(20));
    expect([...kinds]).toEqual(["synchronised"]);
    expect(host.state()).toMatchObject({ stratum: 5 });
  });

  test("takes chronyd's word that the clock is bad, rather than looking for a better one", async () => {
    const clock = new FakeClock();
    const chronyd = new ScriptedSource(clock, "chronyd");
    const daemon = new ScriptedSource(clock, "ntp");
    chronyd.change = { leap: 3, stratum: 0 };
    const answer = await new FirstOf([chronyd, daemon], clock).read(seconds(1));
    expect(answer).toMatchObject({ kind: "reading", reading: { leap: 3 } });
    expect(daemon.asked).toBe(0);
  });
});

test("the local clock is stratum 10, LOCL, and never better than 10 ms", async () => {
  const answer = await new LocalSource(new FakeClock()).read();
  expect(answer).toMatchObject({
    kind: "reading",
    reading: { stratum: 10, leap: 0, referenceId: 0x4c4f_434c, rootDispersion: 0.01 },
  });
});
