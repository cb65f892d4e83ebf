/** A trivial role on linux-io for `npm run bench -- udp`: answers each datagram with its own octets. */
import { SystemClock } from "@stitch/clock";
import { loadNative, openDatagramSocket, type Arrivals, type Replies } from "@stitch/linux-io";

const [, , implementation = "native", address = "127.0.0.1"] = process.argv;
const options = {
  local: { address, port: 0 },
  clock: new SystemClock(),
  slotSize: 2_048,
  replySlotSize: 2_048,
  batchSize: 64,
  receiveBuffer: 4 * 2 ** 20,
  onBatch: echo,
  onFailure: (failure: Error) => {
    process.stderr.write(`${failure.message}\n`);
    process.exit(1);
  },
};
if (implementation === "native" && loadNative().native === undefined) throw new Error("the addon is not built");
const socket = await openDatagramSocket(options, implementation === "native" ? "best" : "dgram");
process.stdout.write(`${socket.local.port}\n`);

/** The slabs as words of four octets, made once: an octet at a time, copying would be a good part of what is measured. */
let from = new Uint32Array(0);
let to = new Uint32Array(0);

function echo(arrivals: Arrivals, replies: Replies): void {
  if (from.length === 0) [from, to] = [wordsOf(arrivals.bytes), wordsOf(replies.bytes)];
  const { lengths } = arrivals;
  const step = arrivals.slotSize >>> 2;
  const replyStep = replies.slotSize >>> 2;
  for (let slot = 0; slot < arrivals.count; slot += 1) {
    const length = lengths[slot] ?? 0;
    const words = (length + 3) >>> 2;
    for (let i = 0; i < words; i += 1) to[slot * replyStep + i] = from[slot * step + i] ?? 0;
    replies.lengths[slot] = length;
  }
}

function wordsOf({ buffer, byteOffset, length }: Uint8Array): Uint32Array<ArrayBuffer> {
  return new Uint32Array(buffer as ArrayBuffer, byteOffset, length >>> 2);
}
