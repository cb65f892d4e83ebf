import { milliseconds, seconds } from "@stitch/clock";
import { FakeClock } from "@stitch/clock/testing";
import { describe, expect, test, vi } from "vitest";
import { SelfProbe } from "../src/self-probe.ts";
import { respond, type FakeUpstream } from "./fake-upstream.ts";
import { upstream, whenDone } from "./rig.ts";

const IDENTITY = "nyc/nyc-1";

/** What an instance of this name answers, to a question with another id where one is given. */
function answer(query: Buffer, identity = IDENTITY, id = query.readUInt16BE(0)): Buffer {
  const nsid = {
    type: "OPT",
    name: ".",
    udpPayloadSize: 1_232,
    flags: 0,
    options: [{ code: 3, data: Buffer.from(identity) }],
  };
  const bytes = respond(query, {
    answers: [{ type: "A", name: "localhost", ttl: 60, data: "127.0.0.1" }],
    additionals: [nsid as never],
  });
  bytes.writeUInt16BE(id, 0);
  return bytes;
}

function probeOf({ port }: FakeUpstream, clock = new FakeClock()): SelfProbe {
  const probe = new SelfProbe(clock, [{ address: "127.88.0.2", port }], IDENTITY);
  whenDone(probe);
  return probe;
}

describe("the self-probe", () => {
  test("goes on waiting when what comes has another id, be it late or made up, or is no message", async () => {
    const ids: number[] = [];
    const fake = await upstream({
      udp: (query, send) => {
        const id = query.readUInt16BE(0);
        ids.push(id);
        send(answer(query, "lon/lon-1", id ^ 1));
        send(query.subarray(0, 2)); // not even a header
        send(answer(query));
      },
    });
    const probe = probeOf(fake);
    const results = await Promise.all(Array.from({ length: 8 }, () => probe.probe(seconds(1))));
    expect(results).toEqual(results.map(() => ({ kind: "answered" })));
    expect([fake.ports.size, new Set(ids).size]).toEqual([8, 8]);
  });

  test("is silent after its limit, and the place of a silent one is used again", async () => {
    const held: { query: Buffer; send: (bytes: Uint8Array) => void }[] = [];
    const fake = await upstream({ udp: (query, send) => void held.push({ query, send }) });
    const clock = new FakeClock();
    const probe = probeOf(fake, clock);
    const many = Array.from({ length: 17 }, () => probe.probe(milliseconds(250)));
    expect(await many[16]).toEqual({ kind: "silent", detail: expect.stringContaining("EMFILE") as string });
    await vi.waitFor(() => expect(held).toHaveLength(16));
    clock.advance(milliseconds(250));
    expect((await Promise.all(many)).every(({ kind }) => kind === "silent")).toBe(true);
    const next = probe.probe(milliseconds(250));
    for (const { query, send } of held) send(answer(query, "lon/lon-1")); // to ports that are closed by now
    await vi.waitFor(() => expect(held).toHaveLength(17));
    held[16]?.send(answer(held[16].query));
    expect(await next).toEqual({ kind: "answered" });
  });

  test("comes to silence when it is closed, and none begins after that", async () => {
    const fake = await upstream({});
    const probe = probeOf(fake);
    const waiting = probe.probe(seconds(1));
    await probe.close();
    expect(await waiting).toEqual({ kind: "silent", detail: "the service stops" });
    expect(await probe.probe(seconds(1))).toMatchObject({ kind: "silent" });
  });

  test("knows at once that nobody listens", async () => {
    const probe = new SelfProbe(new FakeClock(), [{ address: "127.88.0.2", port: 9 }], IDENTITY);
    whenDone(probe);
    const detail = expect.stringContaining("ECONNREFUSED") as string;
    expect(await probe.probe(seconds(1))).toEqual({ kind: "silent", detail });
  });
});
