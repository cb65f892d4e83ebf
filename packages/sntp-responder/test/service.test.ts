import { createSocket } from "node:dgram";
import { milliseconds, seconds, SystemClock } from "@stitch/clock";
import { FakeClock } from "@stitch/clock/testing";
import { createRegistry, Health, type ServiceContext, type ServingParts } from "@stitch/health";
import { afterEach, describe, expect, test } from "vitest";
import type { NtpConfig } from "../src/config.ts";
import { exchange } from "../src/exchange.ts";
import { judgeClock } from "../src/health.ts";
import type { ClockState, Synchronised } from "../src/host-clock/clock-state.ts";
import { startResponder } from "../src/main.ts";
import { faultOf, selfProbe } from "../src/self-probe.ts";
import { decodeServerReply, encodeClientRequest } from "../src/wire/client.ts";
import type { Header } from "../src/wire/packet.ts";
import { timestampOf } from "../src/wire/timestamp.ts";

const identity = { service: "ntp", site: "test", instance: "test-1" };
const ADDRESS = "127.77.3.1";
const systemClock = new SystemClock();
const running = new Set<ServingParts>();

afterEach(async () => {
  await Promise.all([...running].map((parts) => parts.close()));
  running.clear();
});

interface Running {
  readonly parts: ServingParts;
  readonly context: ServiceContext;
  readonly vip: { readonly address: string; readonly port: number };
}

async function start(change: Partial<NtpConfig> = {}): Promise<Running> {
  const said: unknown[] = [];
  const log = { info: (facts: unknown) => said.push(facts), error: (facts: unknown) => said.push(facts) };
  const context: ServiceContext = {
    identity,
    clock: systemClock,
    log: log as unknown as ServiceContext["log"],
    health: new Health(identity, systemClock),
    registry: createRegistry(identity),
    fail: (failure) => said.push(failure),
  };
  const parts = await startResponder(context, {
    listen: [{ address: ADDRESS, port: 0 }],
    workers: 1,
    health: { address: "127.0.0.1", port: 0 },
    clock: { kind: "local" },
    maxRootDistance: milliseconds(100),
    references: [],
    ...change,
  });
  running.add(parts);
  const [text = ""] = (said[0] as { listen: string[] }).listen;
  return { parts, context, vip: { address: ADDRESS, port: Number(text.split(":")[1]) } };
}

async function asked(vip: Running["vip"]): Promise<Header | undefined> {
  const cookie = new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8]);
  const answer = await exchange<Header>({
    to: vip,
    clock: systemClock,
    limit: seconds(5),
    request: () => encodeClientRequest(cookie),
    accept: (bytes) => decodeServerReply(bytes, cookie),
  });
  return answer.kind === "answer" ? answer.value : undefined;
}

async function metric(context: ServiceContext, name: string): Promise<number> {
  const line = (await context.registry.metrics()).split("\n").find((each) => each.startsWith(name));
  return Number(line?.split(" ").at(-1));
}

describe("a running responder", () => {
  test("with the local clock serves stratum 10, passes, and says in health that it is the local clock", async () => {
    const { parts, context, vip } = await start();
    await parts.warm();
    expect(await asked(vip)).toMatchObject({ leap: 0, stratum: 10, mode: 4 });
    expect(await parts.probe(seconds(5))).toEqual({ kind: "answered" });
    expect(context.health.verdict).toBe("pass");
    expect(context.health.report.reasons).toMatchObject([{ code: "local-clock", class: "load" }]);
    expect(await metric(context, 'stitch_ntp_requests_total{reason="served"')).toBe(2);
    expect(parts.progress()).toEqual([expect.toSatisfy((served: number) => served >= 2)]);
  });

  test("without a source says so to clients and to the announcer; the probe itself is content", async () => {
    const { parts, context, vip } = await start({ clock: { kind: "ntp", at: { address: ADDRESS, port: 1 } } });
    expect(await asked(vip)).toMatchObject({ leap: 3, stratum: 0 });
    expect(await parts.probe(seconds(5))).toEqual({ kind: "answered" });
    expect(context.health.verdict).toBe("fail");
    expect(context.health.report.reasons).toMatchObject([{ code: "clock-unsynchronised", class: "dead" }]);
    expect(await metric(context, "stitch_ntp_clock_synchronised")).toBe(0);
  });

  test("follows another responder on this host as it would any daemon, with the same stratum", async () => {
    const daemon = await start();
    const { vip, context } = await start({ clock: { kind: "ntp", at: daemon.vip } });
    expect(await asked(vip)).toMatchObject({ leap: 0, stratum: 10, referenceId: 0x4c4f_434c });
    expect(context.health.verdict).toBe("pass");
  });

  test("is taken off the route when its clock may be off by more than allowed", async () => {
    const { context, vip } = await start({ maxRootDistance: milliseconds(5) });
    expect(context.health.report.reasons.map(({ code }) => code)).toContain("root-distance");
    expect(context.health.verdict).toBe("fail");
    expect(await asked(vip)).toMatchObject({ leap: 0, stratum: 10 });
  });

  test("rejects with a sentence when the port is taken, and leaves nothing open", async () => {
    const { vip } = await start();
    const other = { address: "127.77.3.2", port: vip.port };
    await expect(start({ listen: [other, vip] })).rejects.toThrow(/cannot bind udp 127\.77\.3\.1:.*another program/);
    const again = await start({ listen: [other] });
    expect(await again.parts.probe(seconds(5))).toEqual({ kind: "answered" });
  });

  test("counts hostile datagrams by reason and goes on serving", async () => {
    const { context, vip } = await start();
    const socket = createSocket("udp4");
    for (const bytes of [[0x23], Array.from({ length: 48 }, () => 0x26), Array.from({ length: 3_000 }, () => 0x23)])
      await new Promise<void>(
        (resolve) => void socket.send(Uint8Array.from(bytes), vip.port, vip.address, () => resolve()),
      );
    socket.close();
    expect(await asked(vip)).toBeDefined();
    for (const reason of ["short", "not-client-mode", "oversized", "served"])
      expect(await metric(context, `stitch_ntp_requests_total{reason="${reason}"`)).toBe(1);
  });
});

const reply = (received: number, answered: number): Header =>
  ({ receive: timestampOf(received), transmit: timestampOf(answered) }) as Header;

describe("the self-check", () => {
  const at = Date.UTC(2026, 10, 23) * 1_000;

  test.each([
    ["is content with a time between question and answer", reply(at + 50, at + 90), /^$/],
    ["is content with the last microsecond", reply(at, at + 200), /^$/],
    ["sees a time that is not the clock's", reply(at + 1_500_000, at + 1_500_050), /not the clock's/],
    ["sees a time of the past", reply(at - 1_500_000, at - 1_500_000), /not the clock's/],
    ["sees an answer before the question", reply(at + 90, at + 50), /before it was asked/],
    ["sees an answer to something else", undefined, /what was asked/],
  ])("%s", (_what, header, fault) => {
    const found = faultOf({ reply: header, length: 48 }, at, at + 200);
    expect(found ?? "").toMatch(fault);
  });

  test("sees a reply that is not 48 octets", () => {
    expect(faultOf({ reply: reply(at, at), length: 68 }, at, at)).toMatch(/what was asked/);
  });

  test("asks every served address in turn, and is silent where nobody answers", async () => {
    const { vip } = await start();
    const probe = selfProbe([vip, { address: ADDRESS, port: 1 }], systemClock);
    const kinds = [await probe(seconds(5)), await probe(seconds(5)), await probe(seconds(5))].map(({ kind }) => kind);
    expect(kinds).toEqual(["answered", "silent", "answered"]);
  });
});

describe("health", () => {
  const good: Synchronised = {
    kind: "synchronised",
    leap: 0,
    stratum: 2,
    precision: -20,
    referenceId: 1,
    reference: timestampOf(0),
    rootDelay: 0.1,
    rootDispersion: 0.01,
  };

  test.each<[string, ClockState, boolean, readonly string[]]>([
    ["passes with a good clock", good, false, []],
    ["counts half the delay", { ...good, rootDelay: 0.19 }, false, ["root-distance"]],
    ["fails without a clock", { kind: "unsynchronised", kiss: "", detail: "d" }, false, ["clock-unsynchronised"]],
    [
      "names the step that made it so",
      { kind: "unsynchronised", kiss: "STEP", detail: "d" },
      true,
      ["clock-stepped", "clock-unsynchronised"],
    ],
  ])("%s, and passes again when the cause is gone", (_what, state, stepped, codes) => {
    const health = new Health(identity, new FakeClock());
    judgeClock(health, { state, stepped, maxRootDistance: milliseconds(100) });
    expect(health.report.reasons.map(({ code }) => code)).toEqual(codes);
    expect(health.verdict).toBe(codes.length === 0 ? "pass" : "fail");
    judgeClock(health, { state: good, stepped: false, maxRootDistance: milliseconds(100) });
    expect(health.verdict).toBe("pass");
  });
});
