import { execFileSync } from "node:child_process";
import { datagrams, openSet, openSocket, record, turn, until } from "./sockets.ts";

/** Of the namespace that this process was started in, and of nothing else. */
function ip(...args: string[]): void {
  execFileSync("ip", args);
}

/** A server under test and a client; `ask` sends until the answer is there. */
async function pair(address: string) {
  const heard: string[] = [];
  const server = await openSocket({ local: { address, port: 0 } });
  const client = await openSocket({
    local: { address: "0.0.0.0", port: 0 },
    onBatch: (arrivals) => void heard.push(...datagrams(arrivals).map(String)),
  });
  const to = record(server.local);
  const send = (text: string): void => client.send(to, 0, new Uint8Array(24), 0, Buffer.from(text));
  const ask = (text: string): Promise<void> =>
    until(() => {
      if (!heard.includes(text)) send(text);
      return heard.includes(text);
    });
  return { server, client, ask };
}

/** The same sockets before, during and after; 198.51.100.2 is a neighbour that is not there. */
export async function interfaceDownAndUp(): Promise<unknown> {
  ip("link", "set", "lo", "up");
  ip("link", "add", "v0", "type", "veth", "peer", "name", "v1");
  ip("link", "set", "v1", "up");
  ip("address", "add", "198.51.100.1/24", "dev", "v0");
  ip("link", "set", "v0", "up");
  const { client, ask } = await pair("198.51.100.1");
  const away = async (): Promise<number> => {
    const before = client.counters.sendFailures;
    const neighbour = record({ address: "198.51.100.2", port: 9 });
    for (let i = 0; i < 10; i += 1) client.send(neighbour, 0, new Uint8Array(24), 0, Buffer.from("x"));
    await turn();
    return client.counters.sendFailures - before;
  };
  await ask("before");
  const failed = [await away()];
  for (const link of ["v0", "lo"]) ip("link", "set", link, "down");
  failed.push(await away());
  for (const link of ["v0", "lo"]) ip("link", "set", link, "up");
  failed.push(await away());
  await ask("after");
  return { failed };
}

export async function addressRemovedWhileBound(): Promise<unknown> {
  ip("link", "set", "lo", "up");
  ip("address", "add", "192.0.2.53/32", "dev", "lo");
  const { server, client, ask } = await pair("192.0.2.53");
  await ask("before");
  const failuresBefore = client.counters.sendFailures + server.counters.sendFailures;
  ip("address", "del", "192.0.2.53/32", "dev", "lo");
  server.send(record({ address: "127.0.0.1", port: 9 }), 0, record(server.local), 0, Buffer.from("x"));
  client.send(record(server.local), 0, new Uint8Array(24), 0, Buffer.from("x"));
  await turn();
  const failuresWithout = client.counters.sendFailures + server.counters.sendFailures - failuresBefore;
  ip("address", "add", "192.0.2.53/32", "dev", "lo");
  await ask("after");
  return { failuresWithout };
}

const OCTETS = 1_000;

/**
 * A slow link (tbf on lo, 5 MB/s): the kernel's send buffer fills, sends meet EAGAIN, and what waits leaves in order as
 * room comes, with the time at which it leaves.
 */
export async function slowLink(): Promise<unknown> {
  ip("link", "set", "lo", "up");
  execFileSync("tc", ["qdisc", "add", "dev", "lo", "root", "tbf", "rate", "40mbit", "burst", "64k", "limit", "100m"]);
  const order: number[] = [];
  const stamps: number[] = [];
  const receiver = await openSocket({
    receiveBuffer: 32 * 2 ** 20,
    onBatch: (arrivals) => {
      for (const bytes of datagrams(arrivals)) {
        order.push(bytes.readUInt32BE(0));
        stamps.push(bytes.readUInt32BE(8) + bytes.readUInt32BE(12) / 2 ** 32);
      }
    },
  });
  const sender = await openSocket({ stampAt: 8 });
  const [to, nobody] = [record(receiver.local), new Uint8Array(24)];
  const bytes = Buffer.alloc(OCTETS);
  const count = 3_000;
  for (let i = 0; i < count; i += 1) {
    bytes.writeUInt32BE(i, 0);
    sender.send(to, 0, nobody, 0, bytes);
  }
  await turn();
  const sentAtOnce = sender.counters.sent;
  const many = { slotSize: OCTETS, bytes, lengths: Int32Array.of(OCTETS), peers: to };
  const overtaken = sender.sendMany(many, 1); // what waits goes first
  await until(() => order.length === count);
  const { sent, sendFailures } = sender.counters;
  return {
    sentAtOnce,
    overtaken,
    sent,
    sendFailures,
    inOrder: order.every((number, i) => number === i),
    stampsRise: stamps.every((stamp, i) => i === 0 || stamp >= (stamps[i - 1] ?? 0)),
    stampedOver: (stamps.at(-1) ?? 0) - (stamps[0] ?? 0),
    manyAfterwards: sender.sendMany(many, 1),
  };
}

/** More than the queue may hold: the rest is a failure, memory is bounded, and closing counts what still waits. */
export async function floodOfASlowLink(): Promise<unknown> {
  ip("link", "set", "lo", "up");
  execFileSync("tc", ["qdisc", "add", "dev", "lo", "root", "tbf", "rate", "8mbit", "burst", "64k", "limit", "100m"]);
  const receiver = await openSocket({ onBatch: () => {} });
  const sender = await openSocket();
  const [to, nobody, bytes] = [record(receiver.local), new Uint8Array(24), Buffer.alloc(OCTETS)];
  const before = process.memoryUsage.rss();
  const count = 150_000;
  for (let i = 0; i < count; i += 1) sender.send(to, 0, nobody, 0, bytes);
  await turn();
  const grown = process.memoryUsage.rss() - before;
  const { sent, sendFailures } = sender.counters;
  await sender.close();
  const atEnd = sender.counters.sent + sender.counters.sendFailures;
  return { count, waiting: count - sent - sendFailures, atEnd, grown };
}

/** The peer of a connected socket is gone with its interface: the set tells, and lives. */
export async function setWithoutInterface(): Promise<unknown> {
  ip("link", "set", "lo", "up");
  const heard: string[] = [];
  const set = openSet((arrivals) => void heard.push(...datagrams(arrivals).map(String)));
  const server = await openSocket();
  const place = set.open(record({ address: "127.0.0.1", port: 0 }), record(server.local));
  ip("link", "set", "lo", "down");
  const down = set.send(place, Buffer.from("down"));
  ip("link", "set", "lo", "up");
  await until(() => {
    set.send(place, Buffer.from("up"));
    return heard.includes("up");
  });
  return { place, down };
}
