import { once } from "node:events";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { milliseconds, seconds, SystemClock } from "@stitch/clock";
import { afterEach, describe, expect, test, vi } from "vitest";
import { canConnectTcp, connectTcp, tcpState, type TcpConnectOptions } from "../src/index.ts";

const inCi = process.env["CI"] !== undefined && process.env["CI"] !== "";
const missing = !inCi && canConnectTcp() !== true;
const POLL = { timeout: 5_000, interval: 2 };

describe.skipIf(missing)("connectTcp", () => {
  const closers: (() => unknown)[] = [];
  afterEach(async () => {
    for (const close of closers.splice(0)) await close();
  });

  async function listening(onConnection: (socket: Socket) => void = () => {}): Promise<AddressInfo> {
    const server: Server = createServer(onConnection).listen(0, "127.0.0.1");
    await once(server, "listening");
    closers.push(() => void server.close());
    return server.address() as AddressInfo;
  }

  async function connect(more: Partial<TcpConnectOptions>, signal?: AbortSignal): Promise<Socket> {
    const base = { peer: { address: "127.0.0.1", port: 0 }, clock: new SystemClock(), timeout: seconds(5) };
    const socket = await connectTcp({ ...base, ...more }, signal);
    closers.push(() => void socket.destroy());
    return socket;
  }

  test("gives a socket of node:net that carries bytes both ways, from the address it was told", async () => {
    const from: (string | undefined)[] = [];
    const { port } = await listening((socket) => {
      from.push(socket.remoteAddress);
      socket.pipe(socket);
    });
    const socket = await connect({
      peer: { address: "127.0.0.1", port },
      local: { address: "127.0.66.1", port: 0 },
      hopLimit: 255,
      leastHopLimit: 1,
      trafficClass: 192,
      userTimeout: milliseconds(3_000),
    });
    const heard: string[] = [];
    socket.on("data", (bytes) => heard.push(bytes.toString()));
    socket.write("there and back");
    await vi.waitFor(() => expect(heard.join("")).toBe("there and back"), POLL);
    expect(from).toEqual(["127.0.66.1"]);
    expect(tcpState(socket)).toMatchObject({ state: 1, unacknowledged: 0, bytesAcknowledged: 15 });
    socket.destroy();
    expect(tcpState(socket)).toBeUndefined();
  });

  test("says what the system said when nobody listens", async () => {
    const { port } = await listening();
    await closers.pop()?.();
    await expect(connect({ peer: { address: "127.0.0.1", port } })).rejects.toMatchObject({
      name: "ConnectError",
      code: "ECONNREFUSED",
    });
  });

  test("a password that the peer does not have is silence, and ends with the timeout", async () => {
    const { port } = await listening();
    const attempt = connect({
      peer: { address: "127.0.0.1", port },
      md5Password: "not theirs",
      timeout: milliseconds(100),
    });
    await expect(attempt).rejects.toMatchObject({ code: "ETIMEDOUT" });
  });

  test("can be given up", async () => {
    const { port } = await listening();
    const stop = new AbortController();
    const attempt = connect({ peer: { address: "127.0.0.1", port }, md5Password: "not theirs" }, stop.signal);
    stop.abort();
    await expect(attempt).rejects.toMatchObject({ code: "ABORTED" });
    const already = connect({ peer: { address: "127.0.0.1", port } }, stop.signal);
    await expect(already).rejects.toMatchObject({ code: "ABORTED" });
  });

  test.each<[string, Partial<TcpConnectOptions>, string]>([
    ["a name instead of an address", { peer: { address: "localhost", port: 1 } }, "EINVAL"],
    ["a port that is none", { peer: { address: "127.0.0.1", port: 65_536 } }, "EINVAL"],
    ["an address of another machine", { local: { address: "192.0.2.1", port: 0 } }, "EADDRNOTAVAIL"],
    ["a hop limit beyond 255", { hopLimit: 256 }, "EINVAL"],
    ["a password that is too long", { md5Password: "x".repeat(81) }, "EINVAL"],
  ])("%s is refused with a ConnectError", async (_what, more, code) => {
    const { port } = await listening();
    await expect(connect({ peer: { address: "127.0.0.1", port }, ...more })).rejects.toMatchObject({ code });
  });
});
