import { milliseconds, seconds } from "@stitch/clock";
import { FakeClock } from "@stitch/clock/testing";
import { describe, expect, test, vi } from "vitest";
import { joined, MOST_HOT_BYTES } from "../src/sibling/parts.ts";
import { newNonce, sealed } from "../src/sibling/proof.ts";
import { pull, PULL_LIMIT, type Pulled, type PullFault } from "../src/sibling/puller.ts";
import { giving, scripted, SECRET, type Script } from "./sibling-rig.ts";

const POLL = { timeout: 20_000, interval: 5 };
const PARTS = [Buffer.from("one")];

interface Pulling {
  readonly clock: FakeClock;
  readonly stop: AbortController;
  readonly result: Promise<Pulled | readonly string[]>;
}

function pulling(...ports: readonly number[]): Pulling {
  const [clock, stop] = [new FakeClock(), new AbortController()];
  const siblings = ports.map((port) => ({ address: "127.0.0.1", port }));
  return { clock, stop, result: pull({ siblings, secret: SECRET, clock, stop: stop.signal }) };
}

/** A port that nobody listens on. */
async function closedPort(): Promise<number> {
  const port = await scripted(() => {});
  return port === 65_535 ? port - 1 : port + 1;
}

function ok(body: Buffer, length = body.length): Buffer {
  return Buffer.concat([Buffer.from(`HTTP/1.1 200 OK\r\ncontent-length: ${length}\r\n\r\n`), body]);
}

const answerTo = (nonce: string): Buffer => sealed(SECRET, nonce, joined(PARTS));

describe("a start asks its siblings", () => {
  test("in their order, until one answers well", async () => {
    const dead = await scripted((socket) => socket.destroy());
    const { port } = await giving(async () => PARTS);
    const { result } = pulling(dead, port, dead);
    expect(await result).toMatchObject({ sibling: { port }, bytes: joined(PARTS), askedAt: 0 });
  });

  test("and takes as much as a site gives", async () => {
    const parts = Array.from({ length: 64 }, () => Buffer.alloc(MOST_HOT_BYTES / 64));
    const { port } = await giving(async () => parts);
    expect(await pulling(port).result).toMatchObject({ bytes: { length: MOST_HOT_BYTES + 64 * 4 } });
  });

  test.each<[string, PullFault, (nonce: string) => Buffer]>([
    ["refuses", "refused", () => Buffer.from("HTTP/1.1 429 Too Many Requests\r\ncontent-length: 0\r\n\r\n")],
    [
      "sends us elsewhere",
      "refused",
      () => Buffer.from("HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n"),
    ],
    ["has another secret", "forged", (nonce) => ok(sealed(new Uint8Array(32), nonce, joined(PARTS)))],
    ["repeats an older answer", "forged", () => ok(answerTo(newNonce()))],
    ["sends a part, as if it were all", "forged", (nonce) => ok(answerTo(nonce).subarray(0, -1))],
    ["sends nothing", "forged", () => ok(Buffer.alloc(0))],
    ["sends garbage for an answer", "forged", () => ok(Buffer.alloc(5_000, "x"))],
    ["speaks no HTTP", "unreachable", () => Buffer.from("220 mail.example ESMTP\r\n\r\n")],
  ])("one that %s gives nothing: %s", async (_, fault, answer) => {
    const port = await scripted((socket, nonce) => void socket.end(answer(nonce)));
    expect(await pulling(port).result).toEqual([`127.0.0.1:${port} ${fault}`]);
  });

  test("one that is down, or breaks off in the midst, gives nothing", async () => {
    const closed = await closedPort();
    const broken = await scripted((socket, nonce) => void socket.end(ok(answerTo(nonce), 1_000)));
    expect(await pulling(closed, broken).result).toEqual([
      `127.0.0.1:${closed} unreachable`,
      `127.0.0.1:${broken} unreachable`,
    ]);
  });

  // A gigabyte, as fast as it goes: what we keep of it is bounded, and so is what we read.
  test("one that sends without end is cut off", async () => {
    let sent = 0;
    const closed = vi.fn<() => void>();
    const port = await scripted((socket) => {
      socket.once("close", closed);
      const more = (): void => {
        while (!socket.destroyed && sent < 2 ** 30) {
          sent += 2 ** 16;
          if (!socket.write(Buffer.alloc(2 ** 16))) return;
        }
      };
      socket.on("drain", more).write(`HTTP/1.1 200 OK\r\ncontent-length: ${2 ** 30}\r\n\r\n`);
      more();
    });
    expect(await pulling(port).result).toEqual([`127.0.0.1:${port} oversized`]);
    await vi.waitFor(() => expect(closed).toHaveBeenCalledTimes(1), POLL);
    expect(sent).toBeLessThan(2 ** 28);
  });

  test.each<[string, Script]>([
    ["accepts and is silent", () => {}],
    ["sends a byte now and then", (socket) => void socket.write("HTTP/1.1 200 OK\r\n")],
  ])("one that %s is left after its share of two seconds, and the next is asked", async (_, script) => {
    const closed = vi.fn<() => void>();
    const asked = vi.fn<Script>((socket, nonce) => {
      socket.once("close", closed);
      script(socket, nonce);
    });
    const [one, two] = [await scripted(asked), await scripted(asked)];
    const { clock, result } = pulling(one, two);
    await vi.waitFor(() => expect(asked).toHaveBeenCalledTimes(1), POLL);
    clock.advance(milliseconds(PULL_LIMIT / 2 - 1));
    expect(clock.waiting).toEqual(["pull-limit"]);
    clock.advance(milliseconds(1));
    await vi.waitFor(() => expect(asked).toHaveBeenCalledTimes(2), POLL);
    clock.advance(seconds(1));
    expect(await result).toEqual([`127.0.0.1:${one} late`, `127.0.0.1:${two} late`]);
    expect([clock.now(), clock.waiting]).toEqual([PULL_LIMIT, []]);
    await vi.waitFor(() => expect(closed).toHaveBeenCalledTimes(2), POLL);
  });

  test("and stops when it is itself asked to stop", async () => {
    const asked = vi.fn<Script>();
    const port = await scripted(asked);
    const { clock, stop, result } = pulling(port, port);
    await vi.waitFor(() => expect(asked).toHaveBeenCalledTimes(1), POLL);
    stop.abort();
    expect(await result).toEqual([`127.0.0.1:${port} late`]);
    expect(clock.waiting).toEqual([]);
  });
});
