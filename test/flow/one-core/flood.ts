import { SystemClock } from "@stitch/clock";
import { ENDPOINT_BYTES, endpointRecord, openDatagramSocket, type DatagramSocket } from "@stitch/linux-io";
import dnsPacket from "dns-packet";

// Asks the address and port of arguments one and two as fast as one thread can, from many ports, and listens to no answer.
const SOCKETS = 16;
const BATCH = 64;
/** Each turn of the loop; then signals are heard. */
const BATCHES = 32;

const [, , address = "", port = ""] = process.argv;
const peer = { address, port: Number(port) };
const clock = new SystemClock();
const questions = [{ type: "A", name: "localhost" }] as const;
const query = dnsPacket.encode({ type: "query", id: 1, flags: dnsPacket.RECURSION_DESIRED, questions: [...questions] });

const outgoing = {
  slotSize: query.length,
  bytes: Buffer.concat(Array.from({ length: BATCH }, () => query)),
  lengths: new Int32Array(BATCH).fill(query.length),
  peers: new Uint8Array(BATCH * ENDPOINT_BYTES),
};
const record = endpointRecord(peer) ?? new Uint8Array(ENDPOINT_BYTES);
for (let i = 0; i < BATCH; i += 1) outgoing.peers.set(record, i * ENDPOINT_BYTES);

function open(): Promise<DatagramSocket> {
  return openDatagramSocket({
    local: { address: "127.0.0.1", port: 0 },
    clock,
    slotSize: 512,
    replySlotSize: 0,
    batchSize: BATCH,
    receiveBuffer: 4_096,
    onBatch: () => {},
    onFailure: () => {},
  });
}

const sockets = await Promise.all(Array.from({ length: SOCKETS }, open));
process.stdout.write("asks\n");

function flood(): void {
  for (let i = 0; i < BATCHES; i += 1) sockets[i % SOCKETS]?.sendMany(outgoing, BATCH);
  setImmediate(flood);
}
flood();
