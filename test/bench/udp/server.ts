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

function echo(arrivals: Arrivals, replies: Replies): void {
  const { bytes, lengths, slotSize } = arrivals;
  for (let slot = 0; slot < arrivals.count; slot += 1) {
    const length = lengths[slot] ?? 0;
    const from = slot * slotSize;
    const to = slot * replies.slotSize;
    for (let i = 0; i < length; i += 1) replies.bytes[to + i] = bytes[from + i] ?? 0;
    replies.lengths[slot] = length;
  }
}
