import { spawnSync } from "node:child_process";
import { afterAll, describe, expect, test, vi } from "vitest";
import { loadNative } from "../src/index.ts";
import { faultyKernel, forgetFaultyKernel, scenario } from "./faults/run.ts";

vi.setConfig({ testTimeout: 120_000 });

const inCi = process.env["CI"] !== undefined && process.env["CI"] !== "";
const missing = !inCi && loadNative().native === undefined;
const noNamespaces = !inCi && (missing || spawnSync("unshare", ["--net", "ip", "link"]).status !== 0);
const IN_NAMESPACE = { wrapper: ["unshare", "--net"] };

// Each scenario runs in a process of its own: what goes wrong in the addon ends a process, and shows here.

describe.skipIf(missing)("the process", () => {
  test("out of descriptors: each kind of socket says so, and closing makes room", async () => {
    const seen = await scenario("outOfDescriptors", { wrapper: ["sh", "-c", 'ulimit -n 64; exec "$@"', "sh"] });
    expect(seen).toMatchObject({
      udp: { code: "EMFILE", message: expect.stringContaining("too many files are open; raise the limit") },
      tcp: { code: "EMFILE" },
      place: -24,
    });
  });

  test("a slab that was transferred is not written to; the defect ends in an uncaught error, once", async () => {
    expect(await scenario("slabTransferred")).toEqual({
      errors: ["linux-io: a slab of an open socket was transferred"],
      calls: 101,
      untouched: true,
      sent: 0,
    });
  });

  test("an exception that reaches the addon surfaces once, and the loop lives", async () => {
    expect(await scenario("handlerThrowsIntoTheAddon")).toEqual({ errors: ["of the handler"], calls: 2 });
  });

  test("the process may exit inside a handler", async () => {
    expect(await scenario("exitInHandler")).toEqual({ heard: ["exit"] });
  });

  test("a set that nobody holds may be collected while it is open", async () => {
    const seen = await scenario("collectedWhileOpen", { env: { NODE_OPTIONS: `${nodeOptions()} --expose-gc` } });
    expect(seen).toEqual({ calls: 1, collected: true });
  });

  test("a connection that its callback does not take is closed", async () => {
    expect(await scenario("connectionNotTaken")).toEqual({ called: 20 });
  });

  test("threads end in the midst of a flood: terminated, exiting, failing, closing; 120 come and go without a trace", async () => {
    expect(await scenario("workersEndAnyHow")).toEqual({
      ends: { terminated: 29, exits: 29, throws: 4, closes: 29, leaves: 29 },
      errors: ["of a worker"],
    });
  });
});

describe.skipIf(missing)("a kernel that has its troubles", () => {
  afterAll(forgetFaultyKernel);

  test("interrupted, full, refused, sent in part: every datagram arrives once, in order", async () => {
    expect(await scenario("interruptedAndFull", { env: faultyKernel("some") })).toEqual({
      bySend: true,
      many: { exact: true, severalCalls: true },
      sent: 3_800,
      sendFailures: 200,
      received: 3_800,
    });
  });

  test("a queue below the socket that never has room again is given up at once for all that waits", async () => {
    expect(await scenario("neverRoom", { env: faultyKernel("never") })).toEqual({ failed: 5_000, sent: 0 });
  });

  test("reading that fails now and then loses nothing", async () => {
    expect(await scenario("readingFails", { env: faultyKernel("reads") })).toEqual({ inOrder: true });
  });
});

describe.skipIf(noNamespaces)("the network", () => {
  test("an interface goes down and comes up: sends fail meanwhile and are counted, the sockets stay", async () => {
    expect(await scenario("interfaceDownAndUp", IN_NAMESPACE)).toEqual({ failed: [0, 10, 0] });
  });

  test("an address is removed while bound, and comes back", async () => {
    expect(await scenario("addressRemovedWhileBound", IN_NAMESPACE)).toEqual({ failuresWithout: 2 });
  });

  test("the interface of a set goes down: it is heard again when that is up", async () => {
    expect(await scenario("setWithoutInterface", IN_NAMESPACE)).toMatchObject({ place: 0 });
  });

  test("a slow link: what waits leaves in order, nothing overtakes it, and its stamp is the time of leaving", async () => {
    const seen = (await scenario("slowLink", IN_NAMESPACE)) as { sentAtOnce: number; stampedOver: number };
    expect(seen).toMatchObject({
      overtaken: 0,
      sent: 3_000,
      sendFailures: 0,
      inOrder: true,
      stampsRise: true,
      manyAfterwards: 1,
    });
    expect(seen.sentAtOnce).toBeLessThan(3_000);
    expect(seen.stampedOver).toBeGreaterThan(0.3); // 3 MB at 5 MB/s
  });

  test("a flood of a slow link costs 4 MiB and no more; every datagram is accounted for", async () => {
    const seen = (await scenario("floodOfASlowLink", IN_NAMESPACE)) as Record<string, number>;
    expect(seen["atEnd"]).toBe(seen["count"]);
    expect(seen["waiting"]).toBeGreaterThan(1_000);
    expect(seen["waiting"]).toBeLessThanOrEqual((4 * 2 ** 20) / 1_000);
    // Without the bound it would be 150,000 datagrams of 1,000 octets. A sanitizer keeps what is freed, and pads what is not.
    expect(seen["grown"]).toBeLessThan(96 * 2 ** 20);
  });
});

function nodeOptions(): string {
  return process.env["NODE_OPTIONS"] ?? "";
}
