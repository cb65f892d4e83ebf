/** Two resolvers that forward to each other: each leaves the other out, and nothing else. */
import { createSocket, type Socket } from "node:dgram";
import dnsPacket from "dns-packet";
import { afterEach, expect, test, vi } from "vitest";
import { freePort } from "../free-port.ts";
import { RoutedResolver, type Endpoint } from "./loops/resolver.ts";

const POLL = { timeout: 80_000, interval: 100 };
const LOOPING = "stitch_dns_upstream_looping";
const ends: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

/** A server that knows every name, and what it was asked. */
async function goodServer(): Promise<{ readonly text: string; readonly names: string[] }> {
  const socket: Socket = createSocket("udp4");
  const names: string[] = [];
  socket.on("message", (query, { port, address }) => {
    const { id = 0, questions = [] } = dnsPacket.decode(query);
    const name = questions[0]?.name ?? ".";
    names.push(name.toLowerCase());
    const answers: dnsPacket.Answer[] = [{ type: "A", name, ttl: 1, data: "192.0.2.7" }];
    socket.send(dnsPacket.encode({ type: "response", id, flags: 0x80, questions, answers }), port, address);
  });
  await new Promise<void>((resolve) => void socket.bind(0, "127.91.10.55", resolve));
  ends.push(() => new Promise((resolve) => void socket.close(() => resolve(undefined))));
  return { text: `127.91.10.55:${socket.address().port}`, names };
}

async function started(local: Endpoint, routes: readonly string[]): Promise<RoutedResolver> {
  const resolver = await RoutedResolver.start(local, routes);
  ends.push(() => resolver.end());
  return resolver;
}

function statusOf(reply: Buffer): string {
  return (dnsPacket.decode(reply) as { readonly rcode?: string }).rcode ?? "";
}

/** Of so many clients, who may meet either worker, those who got an answer. */
async function answered(resolver: RoutedResolver, zone: string): Promise<number> {
  const asked = Array.from({ length: 20 }, (_, i) => resolver.ask(`n${i}-${Math.random()}.${zone}`));
  return (await Promise.all(asked)).filter((reply) => statusOf(reply) === "NOERROR").length;
}

test("two resolvers that forward to each other: the loop is cut, other routes go on, and its end is noticed", async () => {
  const good = await goodServer();
  const [one, two] = await Promise.all(
    ["127.91.10.53", "127.91.10.54"].map(async (address) => ({ address, port: await freePort(address) })),
  );
  if (one === undefined || two === undefined) throw new Error("no ports");
  const toTwo = `{ zone: ".", upstreams: ["${two.address}:${two.port}"] }`;
  const toOne = `{ zone: ".", upstreams: ["${one.address}:${one.port}"] }`;
  const corp = `{ zone: corp.test, upstreams: ["${good.text}"] }`;
  const [first, second] = await Promise.all([started(one, [toTwo, corp]), started(two, [toOne, corp])]);

  // Who finds it first is enough to end it: the other's questions come round no more.
  const out = (): Promise<number[]> => Promise.all([first, second].map((each) => each.figure(LOOPING)));
  await vi.waitFor(async () => expect(Math.max(...(await out()))).toBe(1), POLL);
  const cutter = (await first.figure(LOOPING)) === 1 ? first : second;
  await vi.waitFor(async () => {
    const { reasons, verdict } = await cutter.health();
    expect([verdict, reasons[0]?.code, reasons[0]?.class]).toEqual(["degraded", "upstreams-unreachable", "dependency"]);
    expect(reasons[0]?.detail).toContain("a forwarding loop");
  }, POLL);
  expect(cutter.output).toContain("of route . forwards to us what we ask it");
  await vi.waitFor(async () => {
    const asked = Array.from({ length: 20 }, () => cutter.ask(`${Math.random()}.example`)); // of either worker
    for (const reply of await Promise.all(asked)) {
      expect(statusOf(reply)).toBe("SERVFAIL");
      expect(reply.toString("latin1")).toContain("every upstream of this route forwards to us: a loop");
    }
  }, POLL);
  expect((await cutter.ask("_explain.x", "TXT")).toString("latin1")).toContain("forwards to us what we ask it");
  for (const each of [first, second]) {
    expect(statusOf(await each.ask("www.example"))).toBe("SERVFAIL");
    expect(await answered(each, "corp.test")).toBe(20);
  }

  // The second is given another server: the first is told nothing of it but to read its own file again.
  await second.reload([`{ zone: ".", upstreams: ["${good.text}"] }`, corp]);
  await first.reload();
  // It asks for a name that looks for a loop, and finds that the second has somebody else to ask.
  await vi.waitFor(() => expect(good.names.some((name) => /^[0-9a-f]{32}\._loop$/.test(name))).toBe(true), POLL);
  await vi.waitFor(async () => {
    expect(await out()).toEqual([0, 0]);
    expect(await answered(first, "example")).toBe(20);
    expect((await first.health()).verdict).toBe("pass");
  }, POLL);
}, 200_000);
