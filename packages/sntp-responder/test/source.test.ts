import { createSocket, type Socket } from "node:dgram";
import { milliseconds, SystemClock, type Duration } from "@stitch/clock";
import { FakeClock } from "@stitch/clock/testing";
import { afterEach, describe, expect, test } from "vitest";
import { ChronydSource } from "../src/host-clock/chronyd.ts";
import { NtpDaemonSource } from "../src/host-clock/ntp-daemon.ts";
import type { SourceAnswer } from "../src/host-clock/source.ts";
import { encodeHeader, MODE_SERVER, timestampOf } from "../src/wire/index.ts";
import { decodeHeader } from "../src/wire/packet.ts";

const ADDRESS = "127.77.2.1";
const clock = new SystemClock();
const ENOUGH: Duration = milliseconds(5_000);
/** Long enough for an answer on loopback, short enough to wait for in vain. */
const IN_VAIN: Duration = milliseconds(150);

const open = new Set<Socket>();

afterEach(() => {
  for (const socket of open) socket.close();
  open.clear();
});

/** A daemon that answers each datagram with what `answer` makes of it, to the asker, in order. */
async function daemon(answer: (request: Uint8Array) => readonly Uint8Array[]): Promise<number> {
  const socket = createSocket("udp4");
  open.add(socket);
  socket.on("message", (bytes, { address, port }) => {
    for (const reply of answer(bytes)) socket.send(reply, port, address);
  });
  await new Promise<void>((resolve) => void socket.bind(0, ADDRESS, resolve));
  return socket.address().port;
}

function trackingReply(request: Uint8Array): Uint8Array {
  const bytes = Buffer.alloc(104);
  bytes.set([6, 2]);
  bytes.writeUInt16BE(33, 4);
  bytes.writeUInt16BE(5, 6);
  bytes.set(request.subarray(8, 12), 16);
  bytes.writeUInt32BE(0xc000_0201, 28);
  bytes.writeUInt16BE(4, 52);
  bytes.writeUInt32BE(0x02800000, 68); // 0.5 s still to be slewed
  bytes.writeUInt32BE(0x00800000, 92); // 0.25 s
  bytes.writeUInt32BE(0xfe800000, 96); // 0.125 s
  return bytes;
}

function serverReply(request: Uint8Array, wallMicros = clock.wallMicros()): Uint8Array {
  const asked = decodeHeader(request);
  if (!asked.ok) throw new Error("not a request");
  const now = timestampOf(wallMicros);
  const bytes = new Uint8Array(48);
  const said = { leap: 0, version: 4, mode: MODE_SERVER, stratum: 2, poll: 0, precision: -24 } as const;
  const distance = { rootDelay: 6_554, rootDispersion: 655, referenceId: 0x7f7f_0101 };
  const stamps = { reference: now, origin: asked.value.transmit, receive: now, transmit: now };
  encodeHeader({ ...said, ...distance, ...stamps }, bytes);
  return bytes;
}

const chronyd = (port: number, limit = ENOUGH): Promise<SourceAnswer> =>
  new ChronydSource({ address: ADDRESS, port }, clock).read(limit);
const ntp = (port: number, limit = ENOUGH): Promise<SourceAnswer> =>
  new NtpDaemonSource({ address: ADDRESS, port }, clock).read(limit);

describe("chronyd's command port", () => {
  test("tells the state; what is still to be slewed counts as error", async () => {
    const answer = await chronyd(await daemon((request) => [trackingReply(request)]));
    expect(answer).toMatchObject({
      kind: "reading",
      reading: { stratum: 4, leap: 0, referenceId: 0xc000_0201, rootDelay: 0.25, rootDispersion: 0.625 },
    });
  });

  test("what is to be slewed counts as error in either direction", async () => {
    // 0x03 in the first octet makes it -0.5 s.
    const answer = await chronyd(await daemon((request) => [trackingReply(request).with(68, 0x03)]));
    expect(answer).toMatchObject({ kind: "reading", reading: { rootDispersion: 0.625 } });
  });

  test("is believed only with the number that was asked with; junk before it does no harm", async () => {
    const answer = await chronyd(
      await daemon((request) => [
        Buffer.from("junk"),
        trackingReply(request).with(19, (trackingReply(request)[19] ?? 0) ^ 1),
        trackingReply(request),
      ]),
    );
    expect(answer.kind).toBe("reading");
  });

  test("that refuses is named as refusing", async () => {
    const port = await daemon((request) => [trackingReply(request).with(9, 2)]);
    expect(await chronyd(port, IN_VAIN)).toEqual({
      kind: "none",
      detail: `chronyd ${ADDRESS}:${port} refuses to say how it tracks`,
    });
  });

  test("that floods with wrong answers is given up", async () => {
    const port = await daemon(() => Array.from({ length: 100 }, () => Buffer.from("no")));
    const answer = await chronyd(port);
    expect(answer).toEqual({ kind: "none", detail: `${ADDRESS}:${port} answers with something else` });
  });

  test("with nobody behind it is known at once", async () => {
    const began = clock.now();
    const answer = await chronyd(1);
    expect(answer).toEqual({ kind: "none", detail: `${ADDRESS}:1 has nobody listening` });
    expect(clock.now() - began).toBeLessThan(ENOUGH);
  });

  test("an answer from another port is not heard", async () => {
    const stranger = createSocket("udp4");
    open.add(stranger);
    const socket = createSocket("udp4");
    open.add(socket);
    socket.on("message", (bytes, { address, port }) => stranger.send(trackingReply(bytes), port, address));
    await new Promise<void>((resolve) => void socket.bind(0, ADDRESS, resolve));
    const { port } = socket.address();
    expect(await chronyd(port, IN_VAIN)).toEqual({ kind: "none", detail: `${ADDRESS}:${port} does not answer` });
  });
});

test.each([
  ["chronyd", ChronydSource, trackingReply],
  ["an NTP daemon", NtpDaemonSource, (request: Uint8Array) => serverReply(request)],
] as const)(
  "what %s says is as old as the question: the answer may have waited for us",
  async (_name, Source, answer) => {
    const stopped = new FakeClock(clock.wallMicros());
    const port = await daemon((request) => {
      stopped.advance(milliseconds(900));
      return [answer(request)];
    });
    const result = await new Source({ address: ADDRESS, port }, stopped).read(ENOUGH);
    expect(result).toMatchObject({ kind: "reading", reading: { at: 0 } });
  },
);

describe("the host's NTP daemon", () => {
  test("is copied: stratum, reference id and delay as they are, precision the worse of two", async () => {
    const answer = await ntp(await daemon((request) => [serverReply(request)]));
    expect(answer).toMatchObject({
      kind: "reading",
      reading: { stratum: 2, leap: 0, referenceId: 0x7f7f_0101, precision: -20, rootDelay: 6_554 / 65_536 },
    });
    if (answer.kind !== "reading") return;
    expect(answer.reading.rootDispersion).toBeGreaterThanOrEqual(655 / 65_536);
  });

  test("that serves another time than the system clock makes the clock that much worse", async () => {
    const answer = await ntp(await daemon((request) => [serverReply(request, clock.wallMicros() + 5_000_000)]));
    if (answer.kind !== "reading") throw new Error(answer.detail);
    expect(answer.reading.rootDispersion).toBeGreaterThan(4.9);
  });

  test.each([
    ["on its way for 4 ms adds half of that", 0, 2_000],
    ["10 ms ahead of the system clock adds those, too", 10_000, 10_000],
    ["10 ms behind it as well", -10_000, 10_000],
  ])("and an answer %s", async (_what, ahead, added) => {
    const fake = new FakeClock(clock.wallMicros());
    const port = await daemon((request) => {
      fake.advance(milliseconds(2));
      const reply = serverReply(request, fake.wallMicros() + ahead);
      fake.advance(milliseconds(2));
      return [reply];
    });
    const answer = await new NtpDaemonSource({ address: ADDRESS, port }, fake).read(ENOUGH);
    if (answer.kind !== "reading") throw new Error(answer.detail);
    expect(answer.reading.rootDispersion * 1e6).toBeCloseTo((655 / 65_536) * 1e6 + added, -1);
  });

  test("that was slow to answer once is asked again: its delay is no fault of the clock", async () => {
    let questions = 0;
    const socket = createSocket("udp4");
    open.add(socket);
    socket.on("message", (bytes, { address, port }) => {
      questions += 1;
      const reply = serverReply(bytes);
      if (questions > 1) socket.send(reply, port, address);
      else clock.after("slow daemon", milliseconds(120), () => socket.send(reply, port, address));
    });
    await new Promise<void>((resolve) => void socket.bind(0, ADDRESS, resolve));
    const answer = await ntp(socket.address().port);
    if (answer.kind !== "reading") throw new Error(answer.detail);
    expect(questions).toBeGreaterThan(1);
    expect(answer.reading.rootDispersion).toBeLessThan(0.05);
  });

  test("is not believed when it does not give our question back", async () => {
    const port = await daemon((request) => [serverReply(request).with(24, (request[40] ?? 0) ^ 1)]);
    expect((await ntp(port, IN_VAIN)).kind).toBe("none");
  });
});
