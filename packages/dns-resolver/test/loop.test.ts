import { milliseconds, seconds } from "@stitch/clock";
import { FakeClock } from "@stitch/clock/testing";
import { describe, expect, test } from "vitest";
import { LoopTokens, nameWith } from "../src/upstream/loop-tokens.ts";
import { RETRY, TOKEN_LIFE, WATCH } from "../src/upstream/loop-watch.ts";
import { loopingOf } from "../src/upstream/upstream.ts";
import { formatName, parseName } from "../src/wire/name.ts";
import { TYPE } from "../src/wire/registry.ts";
import { respond, type FakeUpstream, type Script } from "./fake-upstream.ts";
import { dataOf, decoded, queryFor, view } from "./fixtures.ts";
import { askUdp, inTime, passing, rigOf, upstream, type Rig, type RigRoute } from "./rig.ts";

const KEY = new Uint8Array(16).fill(7);
const ROOT = Uint8Array.of(0);

/** A forwarder that asks whom it is told to, and the answers that come from there. */
class Relay {
  target: number | undefined;
  readonly seen: Buffer[] = [];
  readonly script: Script = {
    udp: (query, send) => {
      this.seen.push(query);
      if (this.target === undefined) return send(respond(query));
      const onward = Buffer.from(query);
      void askUdp(this.target, onward).then(send);
    },
  };

  /** Names that it was asked for, without those that look for loops. */
  get names(): string[] {
    return this.seen.map(nameIn).filter((name) => !name.includes("_loop"));
  }

  get tokens(): string[] {
    return this.seen.map(nameIn).filter((name) => name.includes("_loop"));
  }
}

function nameIn(query: Buffer): string {
  const { key, nameLength } = view(query);
  return formatName(key.slice(0, nameLength));
}

/** Upstreams that are left out. */
function looping({ server }: Rig): number {
  return loopingOf([0, 1].flatMap((number) => server.forwarder.routeAt(number) ?? []));
}

interface Loop {
  readonly clock: FakeClock;
  readonly rig: Rig;
  readonly found: string[];
  readonly others: string[];
  readonly verdicts: (readonly string[])[];
}

async function looking(routes: readonly RigRoute[], asks = true): Promise<Loop> {
  const clock = new FakeClock();
  const [found, others]: [string[], string[]] = [[], []];
  const verdicts: (readonly string[])[] = [];
  const loops = {
    key: KEY,
    asks,
    onFound: (_: unknown, { zone }: { readonly zone: string }) => void found.push(zone),
    onOther: (token: string) => void others.push(token),
    onVerdict: (out: readonly string[]) => void verdicts.push(out),
  };
  return { clock, rig: await rigOf(routes, clock, [], undefined, loops), found, others, verdicts };
}

/** A resolver whose root route has an upstream that forwards to it, and these besides. */
async function looped(besides: readonly FakeUpstream[] = [], others: readonly RigRoute[] = []) {
  const relay = new Relay();
  const loop = await looking([{ zone: ".", upstreams: [await upstream(relay.script), ...besides] }, ...others]);
  relay.target = loop.rig.port;
  await passing(loop.clock, () => loop.found.length > 0);
  return { ...loop, relay };
}

describe("loop detection", () => {
  test("takes out an upstream that forwards to us, says so, and asks it no more", async () => {
    const { clock, found, relay, rig } = await looped();
    const reply = await inTime(clock, rig.ask(queryFor("www.example", { edns: {} })));
    expect(decoded(reply).rcode).toBe("SERVFAIL");
    expect(reply.toString("latin1")).toContain("every upstream of this route forwards to us: a loop");
    expect([relay.names, found, looping(rig)]).toEqual([[], ["."], 1]);
    expect(rig.count("looped")).toBe(1);
    expect(rig.health.verdict).toBe("degraded");
    const [reason] = rig.health.report.reasons;
    expect(reason).toMatchObject({ code: "upstreams-unreachable", class: "dependency" });
    expect(reason?.detail).toContain("a forwarding loop");
  });

  test("leaves the other upstreams of the route, and other routes, as they are", async () => {
    const good = await upstream({ udp: (query, send) => send(respond(query)) });
    const { clock, rig, relay } = await looped([good], [{ zone: "corp.example", upstreams: [good] }]);
    expect(dataOf(await inTime(clock, rig.ask(queryFor("www.example"))))).toEqual(["192.0.2.7"]);
    expect(dataOf(await inTime(clock, rig.ask(queryFor("www.corp.example"))))).toEqual(["192.0.2.7"]);
    expect(relay.names).toEqual([]);
    expect(rig.health.verdict).toBe("pass");
  });

  test("tries it again, and has it back when it has an answer of its own", async () => {
    const { clock, rig, relay, found, verdicts } = await looped();
    await clock.run(seconds(60));
    expect(looping(rig)).toBe(1);
    expect(rig.count("looped")).toBeGreaterThan(1);
    relay.target = undefined;
    await clock.run(milliseconds(RETRY * 1.25 + TOKEN_LIFE + 1_000));
    expect(looping(rig)).toBe(0);
    expect(rig.health.verdict).toBe("pass");
    expect(dataOf(await inTime(clock, rig.ask(queryFor("www.example"))))).toEqual(["192.0.2.7"]);
    expect(verdicts.map(({ length }) => length)).toEqual([1, 0]);
    expect(found).toEqual(["."]); // once in ten minutes, however often it is seen
  });

  test("a reload asks at once, and what was answered just before it does not speak for a loop that it closed", async () => {
    const relay = new Relay();
    const { clock, rig } = await looking([{ zone: ".", upstreams: [await upstream(relay.script)] }]);
    await passing(clock, () => relay.tokens.length === 1);
    await clock.run(seconds(2));
    relay.target = rig.port;
    rig.server.forwarder.loops?.restart();
    await passing(clock, () => looping(rig) === 1);
    await clock.run(milliseconds(RETRY * 0.7));
    expect(looping(rig)).toBe(1);
  });

  test.each<[string, (query: Buffer) => Buffer | undefined]>([
    ["says SERVFAIL", (query) => respond(query, { flags: 0x82, answers: [] })],
    ["says nothing", () => undefined],
  ])("does not have it back while it %s: so speaks who is in the loop himself", async (_what, answer) => {
    const { clock, rig, relay } = await looped();
    Object.assign(relay.script, {
      udp: (query: Buffer, send: (bytes: Uint8Array) => void) => {
        const reply = answer(query);
        if (reply !== undefined) send(reply);
      },
    });
    await clock.run(milliseconds(2 * RETRY * 1.25 + TOKEN_LIFE));
    expect(looping(rig)).toBe(1);
  });

  test("finds a loop that begins later, within a minute and a quarter", async () => {
    const relay = new Relay();
    const { clock, rig } = await looking([{ zone: ".", upstreams: [await upstream(relay.script)] }]);
    await clock.run(seconds(10));
    expect([looping(rig), relay.tokens.length]).toEqual([0, 1]);
    relay.target = rig.port;
    await clock.run(milliseconds(WATCH * 1.25));
    expect(looping(rig)).toBe(1);
  });

  test("asks one that has no answer again soon, and then less and less often", async () => {
    const relay = new Relay();
    Object.assign(relay.script, { udp: (query: Buffer) => void relay.seen.push(query) });
    const { clock } = await looking([{ zone: ".", upstreams: [await upstream(relay.script)] }]);
    await clock.run(seconds(100));
    expect(relay.tokens.length).toBeGreaterThanOrEqual(4); // after 5, 15, 35 and 75 s, a quarter more or less
    expect(relay.tokens.length).toBeLessThanOrEqual(6);
    await clock.run(seconds(300));
    expect(relay.tokens.length).toBeLessThanOrEqual(13);
  });

  test("asks below the zone of the route, and not one that is down", async () => {
    const relay = new Relay();
    const fake = await upstream(relay.script);
    const dead = await upstream({});
    const { clock, rig } = await looking([{ zone: "corp.example", upstreams: [fake, dead] }]);
    await passing(clock, () => relay.tokens.length === 1);
    expect(relay.tokens[0]).toMatch(/^[0-9a-f]{32}\._loop\.corp\.example\.$/);
    expect(relay.seen.map((query) => view(query).type)).toEqual([TYPE.TXT]);
    await clock.run(seconds(5));
    // That nobody answers such a name says nothing about who is asked.
    expect(rig.server.forwarder.counters.timeouts).toBe(0);
  });

  test("says nothing of an upstream that is not there, until somebody needs it", async () => {
    const { clock, rig } = await looking([{ zone: ".", upstreams: [{ address: "127.88.0.2", port: 1 }] }]);
    const asked = (): number => rig.server.forwarder.counters.exchanges;
    await passing(clock, () => asked() >= 4);
    await clock.run(seconds(30));
    expect([rig.health.verdict, rig.server.forwarder.counters.unreachable]).toEqual(["pass", 0]);
    for (let i = 0; i < 3; i += 1) await inTime(clock, rig.ask(queryFor(`n${i}.example`)));
    expect(rig.health.verdict).toBe("degraded");
  });

  test("asks none that is down, and then as soon as it is back", async () => {
    const relay = new Relay();
    const { script } = relay;
    const answer = script.udp;
    Object.assign(script, { udp: (query: Buffer) => void relay.seen.push(query) });
    const { clock, rig } = await looking([{ zone: ".", upstreams: [await upstream(script)] }]);
    for (let i = 1; i <= 3; i += 1) {
      void rig.ask(queryFor(`n${i}.example`));
      await passing(clock, () => rig.count("upstream-failed") === i);
    }
    await passing(clock, () => rig.health.verdict === "degraded");
    const before = relay.tokens.length;
    await clock.run(seconds(120));
    expect(relay.tokens.length).toBe(before);
    Object.assign(script, { udp: answer });
    await passing(clock, () => rig.health.verdict === "pass");
    await passing(clock, () => relay.tokens.length === before + 1);
  });

  test("asks sixteen upstreams at once, and not all of many", async () => {
    const relay = new Relay();
    const fake = await upstream(relay.script);
    const { clock } = await looking([{ zone: ".", upstreams: Array.from({ length: 40 }, () => fake) }]);
    await clock.run(milliseconds(900));
    expect(relay.tokens).toHaveLength(16);
    await clock.run(seconds(1));
    expect(new Set(relay.tokens).size).toBe(40);
  });

  test("a token of another resolver is forwarded like any name", async () => {
    const relay = new Relay();
    const { clock, rig, others } = await looking([{ zone: ".", upstreams: [await upstream(relay.script)] }]);
    const foreign = nameWith(new LoopTokens(new Uint8Array(16).fill(8)).draw(), ROOT) ?? ROOT;
    const name = formatName(foreign);
    expect(decoded(await inTime(clock, rig.ask(queryFor(name, { type: "TXT" })))).rcode).toBe("NOERROR");
    expect(relay.tokens).toContain(name);
    expect([looping(rig), rig.count("looped"), others]).toEqual([0, 0, []]);
  });

  test("a stranger who sends an upstream's token too late, or one of his own making, takes nobody out", async () => {
    const relay = new Relay();
    const { clock, rig } = await looking([{ zone: ".", upstreams: [await upstream(relay.script)] }]);
    await passing(clock, () => relay.tokens.length === 1);
    const [token = ""] = relay.tokens;
    await clock.run(TOKEN_LIFE);
    expect(decoded(await inTime(clock, rig.ask(queryFor(token, { type: "TXT" })))).rcode).toBe("SERVFAIL");
    const forged = token.replace(/^./, (digit) => (digit === "0" ? "1" : "0"));
    expect(decoded(await inTime(clock, rig.ask(queryFor(forged, { type: "TXT" })))).rcode).toBe("NOERROR");
    expect([looping(rig), rig.count("looped")]).toEqual([0, 1]);
  });

  test("one worker asks for all; what comes back to another is told, a hundred times a second at most", async () => {
    const relay = new Relay();
    const routes = [{ zone: ".", upstreams: [await upstream(relay.script)] }];
    const [one, other] = [await looking(routes), await looking(routes, false)];
    await other.clock.run(seconds(5));
    expect(relay.tokens).toEqual([]);
    await passing(one.clock, () => relay.tokens.length === 1);
    const [token = ""] = relay.tokens;
    for (let i = 0; i < 20; i += 1) await other.rig.ask(queryFor(token, { type: "TXT" }));
    expect(other.others).toEqual([token.slice(0, 32)]);
    one.rig.server.forwarder.loops?.cameBack(other.others[0] ?? "");
    expect(looping(one.rig)).toBe(1);
    expect(one.found).toEqual(["."]);
    const [verdict = []] = one.verdicts;
    other.rig.server.forwarder.loops?.leaveOut(verdict);
    expect([looping(other.rig), other.rig.health.verdict]).toEqual([1, "degraded"]);
    other.rig.server.forwarder.loops?.leaveOut([]);
    expect([looping(other.rig), other.rig.health.verdict]).toEqual([0, "pass"]);
  });

  test("in other letters and for another type the token is the same", async () => {
    const { rig, relay, clock } = await looped();
    const [token = ""] = relay.tokens;
    const before = rig.count("looped");
    const mixed = token.replace(/[a-f]/g, (letter) => letter.toUpperCase());
    await inTime(clock, rig.ask(queryFor(mixed, { type: "A" })));
    expect(rig.count("looped")).toBe(before + 1);
  });
});

describe("a token", () => {
  const tokens = new LoopTokens(KEY);
  const of = (name: string): string | undefined => tokens.tokenIn(view(queryFor(name)));

  test("is known by who has the key alone", () => {
    const token = tokens.draw();
    expect(of(`${token}._loop`)).toBe(token);
    expect(of(`${token.toUpperCase()}._LOOP.corp.example`)).toBe(token);
    expect(new LoopTokens(new Uint8Array(16)).tokenIn(view(queryFor(`${token}._loop`)))).toBeUndefined();
    expect(tokens.draw()).not.toBe(token);
  });

  test.each([
    ["another label behind it", (token: string) => `${token}._lo0p.example`],
    ["a longer label behind it", (token: string) => `${token}._looped.example`],
    ["nothing behind it", (token: string) => token],
    ["a letter that is no digit", (token: string) => `${token.replace(/^./, "z")}._loop`],
    ["a label before it", (token: string) => `www.${token}._loop`],
  ])("with %s is none", (_what, name) => {
    expect(of(name(tokens.draw()))).toBeUndefined();
  });

  test("has no room below a zone that is nearly as long as a name may be", () => {
    const label = "x".repeat(60);
    const long = parseName(`${label}.${label}.${label}.${"x".repeat(33)}`) ?? ROOT;
    expect(nameWith(tokens.draw(), long)).toBeUndefined();
    expect(nameWith(tokens.draw(), long.subarray(61))?.length).toBe(long.length - 61 + 39);
  });
});
