import { execFile } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { join } from "node:path";
import { promisify } from "node:util";
import { milliseconds, seconds } from "@stitch/clock";
import { FakeClock } from "@stitch/clock/testing";
import { loadNative } from "@stitch/linux-io";
import { afterEach, expect, test } from "vitest";
import type { Request } from "../src/upstream/exchange.ts";
import { UdpExchanges } from "../src/upstream/udp-exchange.ts";

const TERMS = { limit: seconds(5), late: seconds(0), onOverdue: () => {} };
const QUESTION = Uint8Array.from([1, 0x61, 0, 0, 1, 0, 1]);
const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

/** A server that answers each question with itself, and knows the ports that it was asked from. */
async function server(at = "127.0.0.1"): Promise<{ port: number; ports: number[] }> {
  const ports: number[] = [];
  const socket = createSocket(at.includes(":") ? "udp6" : "udp4");
  socket.on("message", (bytes, { port, address }) => {
    ports.push(port);
    const answer = Buffer.from(bytes.subarray(0, 12 + QUESTION.length));
    answer[2] = 0x81;
    answer[11] = 0; // no OPT
    socket.send(answer, port, address);
  });
  socket.bind(0, at);
  await once(socket, "listening");
  closers.push(() => void socket.close());
  return { port: socket.address().port, ports };
}

async function asking(most = 600) {
  const clock = new FakeClock();
  const exchanges = new UdpExchanges(clock, most);
  closers.push(() => exchanges.close());
  const { port, ports } = await server();
  const upstream = { address: "127.0.0.1", port };
  let id = 0;
  const ask = async (count: number, whom = upstream): Promise<void> => {
    for (let done = 0; done < count; done += 20) {
      const some = Array.from({ length: Math.min(20, count - done) }, () => {
        id += 1;
        return exchanges.exchange(request(whom, clock, id)).result;
      });
      for (const result of await Promise.all(some)) expect(result.kind).toBe("answer");
    }
  };
  return { ask, clock, exchanges, ports };
}

/** The same when as many sockets of its upstream are kept as there may be. */
async function busy(most?: number): ReturnType<typeof asking> {
  const made = await asking(most);
  await made.ask(600);
  made.clock.advance(milliseconds(100)); // 6,000 a second
  await made.ask(600);
  expect(made.exchanges.open).toBe(512);
  return made;
}

async function another(): Promise<Request["upstream"]> {
  const { port } = await server();
  return { address: "127.0.0.1", port };
}

function request(upstream: Request["upstream"], clock: FakeClock, id: number): Request {
  const rest = {
    source: "127.0.0.1",
    question: QUESTION,
    mixedCase: true,
    dnssecOk: false,
    checkingDisabled: false,
    edns: true,
  };
  return { ...rest, upstream, clock, id: id & 0xffff, ...TERMS, onIgnored: () => {} };
}

test("at an ordinary rate every question has a port of its own, and no socket stays", async () => {
  const { ask, clock, exchanges, ports } = await asking();
  for (let i = 0; i < 4; i += 1) {
    await ask(20);
    clock.advance(milliseconds(100));
  }
  expect(ports).toHaveLength(80);
  expect(exchanges.open).toBe(0);
});

test("under load ports are drawn from a pool, each for a while only; when it is over none is kept", async () => {
  const { ask, clock, exchanges, ports } = await asking();
  await ask(600);
  clock.advance(milliseconds(100)); // 6,000 a second
  await ask(600);
  expect(exchanges.open).toBe(512);
  ports.length = 0;
  clock.advance(milliseconds(100));
  await ask(1_000);
  expect(new Set(ports).size).toBeGreaterThan(300);
  expect(new Set(ports).size).toBeLessThanOrEqual(512);
  expect(exchanges.open).toBeLessThanOrEqual(512);
  const open = [exchanges.open];
  for (let tenth = 0; tenth < 17; tenth += 1) {
    clock.advance(milliseconds(100));
    exchanges.tidy();
    open.push(exchanges.open);
  }
  // At no time so many that a question would wait for it.
  for (const [i, now] of open.entries()) expect((open[i - 1] ?? now) - now).toBeLessThanOrEqual(32);
  expect(exchanges.open).toBe(0);
});

test("about the rate from which ports are shared they go on being so: none is opened and closed by turns", async () => {
  const { ask, clock, exchanges, ports } = await busy();
  ports.length = 0;
  for (let tenth = 0; tenth < 4; tenth += 1) {
    clock.advance(milliseconds(100));
    await ask(300); // 3,000 a second
    expect(exchanges.open).toBe(512);
  }
  expect(new Set(ports).size).toBeLessThanOrEqual(512);
  clock.advance(milliseconds(100));
  await ask(200); // the last window's rate was 3,000 a second, this one's is 2,000
  clock.advance(milliseconds(100));
  await ask(20);
  expect(exchanges.open).toBe(512 - 32);
});

test("idle sockets make room for questions", async () => {
  const { clock, exchanges } = await busy(520);
  const silent = { address: "127.0.0.1", port: 9 };
  const others = Array.from({ length: 40 }, (_, i) => exchanges.exchange(request(silent, clock, i)).result);
  expect(exchanges.open).toBe(520);
  await exchanges.close();
  clock.advance(seconds(5));
  for (const { kind } of await Promise.all(others)) expect(["timeout", "unreachable"]).toContain(kind);
});

test("an upstream that is first asked when there is no room keeps no socket for ever", async () => {
  const { ask, clock, exchanges } = await busy(512);
  await ask(1, await another());
  for (let tenth = 0; tenth < 20; tenth += 1) {
    clock.advance(milliseconds(100));
    exchanges.tidy();
  }
  expect(exchanges.open).toBe(0);
});

// A reload may have taken it away, and the load may last for days.
test("sockets of an upstream that nobody asks any more are closed while others are busy, some at a time", async () => {
  const { ask, clock, exchanges } = await busy(2_000);
  const other = await another();
  const open: number[] = [];
  for (let tenth = 0; tenth < 70; tenth += 1) {
    clock.advance(milliseconds(100));
    exchanges.tidy();
    open.push(exchanges.open);
    await ask(300, other);
  }
  expect(Math.max(...open)).toBe(2 * 512);
  // The other's own grow old meanwhile and are replaced.
  for (const [i, now] of open.entries()) expect((open[i - 1] ?? now) - now).toBeLessThan(2 * 32);
  expect(exchanges.open).toBeLessThanOrEqual(512);
});

test("a question that finds none but sockets that have grown old at rest does not wait until all are closed", async () => {
  const { ask, clock, exchanges } = await busy(2_000);
  const other = await another();
  for (let tenth = 0; tenth < 52; tenth += 1) {
    clock.advance(milliseconds(100));
    await ask(300, other);
    if (tenth === 30) await ask(1); // somebody asks it, now and then
  }
  const before = exchanges.open;
  await ask(1);
  const closed = before - exchanges.open;
  expect(closed).toBeGreaterThan(0);
  expect(closed).toBeLessThan(32);
});

const inCi = process.env["CI"] !== undefined && process.env["CI"] !== "";
const missing = !inCi && loadNative().native === undefined;

test.skipIf(missing)("they do too when the process may open no more files", async () => {
  const child = join(import.meta.dirname, "scarce", "main.ts");
  const { stdout } = await promisify(execFile)("sh", ["-c", 'ulimit -n 580; exec "$0" "$1"', process.execPath, child]);
  expect(JSON.parse(stdout)).toEqual({ pooled: 512, kinds: ["timeout"] });
});

// A server that is silent for every question would hold all sockets for seconds, and new questions would find none.
test("sockets wait for late answers while half of them are free, and no longer", async () => {
  const silent = createSocket("udp4");
  silent.bind(0, "127.0.0.1");
  await once(silent, "listening");
  closers.push(() => void silent.close());
  const clock = new FakeClock();
  const exchanges = new UdpExchanges(clock, 8);
  closers.push(() => exchanges.close());
  let overdue = 0;
  const upstream = { address: "127.0.0.1", port: silent.address().port };
  for (let id = 0; id < 6; id += 1) {
    const terms = { limit: seconds(1), late: seconds(2), onOverdue: () => void (overdue += 1) };
    exchanges.exchange({ ...request(upstream, clock, id), ...terms });
  }
  clock.advance(seconds(1));
  expect([exchanges.open, overdue]).toEqual([4, 4]);
  clock.advance(seconds(2));
  expect(exchanges.open).toBe(0);
});

test("with no place left the answer is that there is no socket", async () => {
  const clock = new FakeClock();
  const exchanges = new UdpExchanges(clock, 2);
  closers.push(() => exchanges.close());
  const silent = { address: "127.0.0.1", port: 9 };
  const results = Array.from({ length: 3 }, (_, i) => exchanges.exchange(request(silent, clock, i)).result);
  expect(await results[2]).toEqual({ kind: "no-socket", code: "EMFILE" });
});
