import { connect as connectTcp } from "node:net";
import { connect, type PeerCertificate, type TLSSocket } from "node:tls";
import { milliseconds, SystemClock } from "@stitch/clock";
import { FakeClock } from "@stitch/clock/testing";
import dnsPacket from "dns-packet";
import { describe, expect, test, vi } from "vitest";
import { claimedTcp } from "../src/claim.ts";
import { TCP_IDLE, TcpListener } from "../src/tcp-listener.ts";
import { padded, QUERY_BLOCK } from "../src/tls/padding.ts";
import { OPT_BYTES } from "../src/wire/edns.ts";
import { Frames } from "../src/wire/frames.ts";
import { respond } from "./fake-upstream.ts";
import { dataOf, queryFor } from "./fixtures.ts";
import { rigOf, upstream, whenDone, type Rig } from "./rig.ts";
import { selfSigned } from "./self-signed.ts";

const ADDRESS = "127.88.0.1";
const OWN = selfSigned("dns.stitch.test");
const PADDING = 12;

/** A client of DNS over TLS that trusts the test's own certificate. */
class Client {
  readonly socket: TLSSocket;
  readonly #frames = new Frames();
  readonly #arrived: Buffer[] = [];
  #waiting: ((reply: Buffer) => void) | undefined;

  static open(port: number): Promise<Client> {
    return new Promise((resolve, reject) => {
      const socket = connect({
        host: ADDRESS,
        port,
        servername: "dns.stitch.test",
        ca: OWN.cert,
        ALPNProtocols: ["dot"],
      });
      socket.once("error", reject);
      socket.once("secureConnect", () => resolve(new Client(socket)));
    });
  }

  private constructor(socket: TLSSocket) {
    this.socket = socket;
    socket.on("error", () => socket.destroy());
    socket.on("data", (chunk: Buffer) => {
      this.#frames.push(chunk);
      for (let frame = this.#frames.next(); frame !== undefined; frame = this.#frames.next()) {
        const reply = Buffer.from(frame);
        if (this.#waiting === undefined) this.#arrived.push(reply);
        else this.#waiting(reply);
        this.#waiting = undefined;
      }
    });
    whenDone({ close: async () => void socket.destroy() });
  }

  send(query: Uint8Array): void {
    this.socket.write(Buffer.concat([Buffer.of(query.length >> 8, query.length & 255), query]));
  }

  next(): Promise<Buffer> {
    const first = this.#arrived.shift();
    return first === undefined ? new Promise((resolve) => (this.#waiting = resolve)) : Promise.resolve(first);
  }

  ask(query: Uint8Array): Promise<Buffer> {
    this.send(query);
    return this.next();
  }
}

async function site(): Promise<Rig & { readonly tlsPort: number }> {
  const fake = await upstream({ udp: (query, send) => send(respond(query)), tcp: (query) => respond(query) });
  const made = await rigOf([{ zone: ".", upstreams: [fake] }], new SystemClock(), [], { cert: OWN.cert, key: OWN.key });
  const tlsPort = made.server.listeners.at(-1)?.port ?? 0;
  return { ...made, tlsPort };
}

/** A query with EDNS, padded as RFC 8467 has it. */
function paddedQuery(name: string): Uint8Array {
  const query = queryFor(name, { edns: {} });
  return padded(query, query.length - OPT_BYTES, QUERY_BLOCK);
}

function paddingOf(reply: Buffer): number | undefined {
  const { additionals = [] } = dnsPacket.decode(reply);
  const [opt] = additionals;
  const options = opt?.type === "OPT" ? opt.options : [];
  return options.find(({ code }) => (code as unknown) === PADDING || (code as unknown) === "PADDING") === undefined
    ? undefined
    : reply.length;
}

describe("DoT for clients", () => {
  test("answers local, cached and forwarded names, many on one connection", async () => {
    const { tlsPort } = await site();
    const client = await Client.open(tlsPort);
    expect(client.socket.alpnProtocol).toBe("dot");
    expect(dataOf(await client.ask(queryFor("localhost")))).toEqual(["127.0.0.1"]);
    for (let i = 0; i < 20; i += 1) client.send(queryFor(`n${i % 4}.example`, { id: i }));
    const ids = new Set<number>();
    for (let i = 0; i < 20; i += 1) ids.add((await client.next()).readUInt16BE(0));
    expect(ids.size).toBe(20);
  });

  test("pads the answer to a multiple of 468 when the query was padded, and only then, and never in the clear", async () => {
    const { tlsPort, ask } = await site();
    const client = await Client.open(tlsPort);
    for (const name of ["localhost", "forwarded.example", "forwarded.example", "no.localhost"]) {
      expect(paddedQuery(name).length).toBe(128);
      expect(paddingOf(await client.ask(paddedQuery(name)))).toBe(468);
      expect(paddingOf(await client.ask(queryFor(name, { edns: {} })))).toBeUndefined();
    }
    expect(paddingOf(await ask(paddedQuery("localhost")))).toBeUndefined();
  });

  test("shows new connections the certificate that a reload brought", async () => {
    const { server, tlsPort } = await site();
    const before = await Client.open(tlsPort);
    const renewed = selfSigned("dns.stitch.test");
    server.listeners.at(-1)?.prove({ cert: renewed.cert, key: renewed.key });
    const seen = await new Promise<PeerCertificate>((resolve, reject) => {
      const socket = connect({ host: ADDRESS, port: tlsPort, servername: "dns.stitch.test", ca: renewed.cert });
      whenDone({ close: async () => void socket.destroy() });
      socket.on("error", reject);
      socket.on("secureConnect", () => resolve(socket.getPeerCertificate()));
    });
    expect(seen.subject.CN).toBe("dns.stitch.test");
    expect(dataOf(await before.ask(queryFor("localhost")))).toEqual(["127.0.0.1"]);
  });

  test("counts who has not shaken hands yet, and turns away what is over a client's limit", async () => {
    const { server, tlsPort } = await site();
    const listener = server.listeners.at(-1);
    const silent = Array.from({ length: 40 }, () => connectTcp(tlsPort, ADDRESS));
    for (const socket of silent) socket.on("error", () => socket.destroy());
    await vi.waitFor(() => expect(listener?.counters).toMatchObject({ accepted: 32, refused: 8 }), { timeout: 20_000 });
    expect(listener?.connections).toBe(32);
    for (const socket of silent) socket.destroy();
    await vi.waitFor(() => expect(listener?.connections).toBe(0), { timeout: 20_000 });
    const client = await Client.open(tlsPort);
    expect(dataOf(await client.ask(queryFor("localhost")))).toEqual(["127.0.0.1"]);
  });

  test("what is no TLS gets nothing and costs nothing", async () => {
    const { server, tlsPort } = await site();
    const socket = connectTcp(tlsPort, ADDRESS, () => socket.write(queryFor("localhost")));
    const closed = new Promise((resolve) => socket.on("close", resolve));
    socket.on("error", () => socket.destroy());
    await closed;
    await vi.waitFor(() => expect(server.listeners.at(-1)?.connections).toBe(0), { timeout: 20_000 });
  });

  test("is closed when idle, as TCP is", async () => {
    const clock = new FakeClock();
    const [local] = await claimedTcp([{ address: ADDRESS, port: 0 }], new SystemClock());
    if (local === undefined) throw new Error("no port");
    const tls = { cert: OWN.cert, key: OWN.key };
    const listener = await TcpListener.open({ local, clock, tls, admits: () => true, onQuery: () => {} });
    whenDone(listener);
    const client = await Client.open(local.port);
    await vi.waitFor(() => expect(listener.connections).toBe(1), { timeout: 20_000 });
    const closed = new Promise((resolve) => client.socket.on("close", resolve));
    await clock.run(TCP_IDLE);
    await clock.run(milliseconds(1_000));
    await closed;
    expect(listener.counters.idled).toBe(1);
  });
});
