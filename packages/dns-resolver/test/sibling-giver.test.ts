import { milliseconds } from "@stitch/clock";
import { describe, expect, test, vi } from "vitest";
import { GIVE_INTERVAL, GIVE_LIMIT, type Gather } from "../src/sibling/giver.ts";
import { joined } from "../src/sibling/parts.ts";
import { askProof, newNonce, opened } from "../src/sibling/proof.ts";
import { askGiver, giving, rawAsk, SECRET } from "./sibling-rig.ts";

const POLL = { timeout: 20_000, interval: 5 };
const PARTS = [Buffer.from("one"), Buffer.from("two")];

describe("what a site gives to its siblings", () => {
  test("is its workers' parts, sealed for who asked", async () => {
    const { port, giver } = await giving(async () => PARTS);
    const nonce = newNonce();
    const response = await askGiver(port, { nonce });
    expect(response.status).toBe(200);
    const bytes = Buffer.from(await response.arrayBuffer());
    expect(opened(SECRET, nonce, bytes)).toEqual(joined(PARTS));
    await vi.waitFor(() => expect(giver.counts.served).toBe(1), POLL);
  });

  test("is nothing, and costs nothing, for who has not the secret", async () => {
    const gather = vi.fn<Gather>(async () => PARTS);
    const { port, giver } = await giving(gather);
    const nonce = newNonce();
    const asks = [
      { proof: "" },
      { proof: "0".repeat(64) },
      { nonce, proof: askProof(SECRET, newNonce()) },
      { nonce: "1" },
    ];
    for (const ask of asks) expect((await askGiver(port, ask)).status).toBe(403);
    expect((await fetch(`http://127.0.0.1:${port}/cache`)).status).toBe(403);
    expect([giver.counts.forbidden, gather.mock.calls.length]).toEqual([5, 0]);
    expect((await askGiver(port)).status).toBe(200); // they have not used up anybody's turn
  });

  test("is made for a GET only", async () => {
    const gather = vi.fn<Gather>(async () => PARTS);
    const { port } = await giving(gather);
    for (const method of ["HEAD", "POST"]) expect((await askGiver(port, { init: { method } })).status).toBe(404);
    expect(gather).not.toHaveBeenCalled();
  });

  test("is refused while there is nothing to give yet", async () => {
    const { port, giver } = await giving();
    expect((await askGiver(port)).status).toBe(503);
    expect(giver.counts.unready).toBe(1);
    giver.open(async () => PARTS);
    expect((await askGiver(port)).status).toBe(200);
  });

  test("is made once in five seconds for all who ask, and once at a time", async () => {
    const made = Promise.withResolvers<readonly Uint8Array[]>();
    const gather = vi.fn<Gather>(() => made.promise);
    const { port, giver, clock } = await giving(gather);
    const first = askGiver(port);
    await vi.waitFor(() => expect(gather).toHaveBeenCalledTimes(1), POLL);
    clock.advance(GIVE_INTERVAL);
    expect((await askGiver(port)).status).toBe(429); // the first one is not done
    made.resolve(PARTS);
    expect((await first).status).toBe(200);
    await vi.waitFor(() => expect(giver.counts.served).toBe(1), POLL);
    expect((await askGiver(port)).status).toBe(200);
    await vi.waitFor(() => expect(giver.counts.served).toBe(2), POLL);
    clock.advance(milliseconds(GIVE_INTERVAL - 1));
    expect((await askGiver(port)).status).toBe(429);
    clock.advance(milliseconds(1));
    expect((await askGiver(port)).status).toBe(200);
    expect([giver.counts.busy, gather.mock.calls.length]).toEqual([2, 3]);
  });

  // Its answer would be held in memory, and nobody else's made, for as long as it likes.
  test("is taken back from who does not read it", async () => {
    const { port, giver, clock } = await giving(async () => [Buffer.alloc(32 * 2 ** 20)]);
    const socket = rawAsk(port);
    socket.once("readable", () => socket.pause());
    await vi.waitFor(() => expect(clock.waiting).toContain("give-limit"), POLL);
    clock.advance(milliseconds(GIVE_LIMIT - 1));
    expect((await askGiver(port)).status).toBe(429);
    clock.advance(milliseconds(1));
    await vi.waitFor(() => expect(giver.counts.unfinished).toBe(1), POLL);
    expect((await askGiver(port)).status).toBe(200);
  });

  test("waits for no worker that does not answer, and for nobody who has gone", async () => {
    const gather = vi.fn<Gather>(() => new Promise(() => {}));
    const { port, giver, clock } = await giving(gather);
    const failed = askGiver(port).catch(() => "cut off");
    await vi.waitFor(() => expect(gather).toHaveBeenCalledTimes(1), POLL);
    clock.advance(GIVE_LIMIT);
    expect(await failed).toBe("cut off");
    await vi.waitFor(() => expect(giver.counts.unfinished).toBe(1), POLL);
    const socket = rawAsk(port);
    await vi.waitFor(() => expect(gather).toHaveBeenCalledTimes(2), POLL);
    socket.destroy();
    await vi.waitFor(() => expect(giver.counts.unfinished).toBe(2), POLL);
    expect(clock.waiting).toEqual([]);
  });

  test("is sealed by the secret that a reload has brought", async () => {
    const { port, giver } = await giving(async () => PARTS);
    giver.secret = new Uint8Array(32);
    expect((await askGiver(port)).status).toBe(403);
    const nonce = newNonce();
    expect((await askGiver(port, { nonce, proof: askProof(giver.secret, nonce) })).status).toBe(200);
  });
});
