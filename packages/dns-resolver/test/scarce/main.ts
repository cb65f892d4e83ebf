import { createSocket } from "node:dgram";
import { once } from "node:events";
import { milliseconds, seconds } from "@stitch/clock";
import { FakeClock } from "@stitch/clock/testing";
import type { Exchange } from "../../src/upstream/exchange.ts";
import { UdpExchanges } from "../../src/upstream/udp-exchange.ts";

// With few files that may be open: one upstream is asked until its pool is full, then one that is silent. Prints what came of these.
const QUESTION = Uint8Array.from([1, 0x61, 0, 0, 1, 0, 1]);

const clock = new FakeClock();
const exchanges = new UdpExchanges(clock, 2_000);

async function server(answers: boolean): Promise<{ address: string; port: number; close: () => void }> {
  const socket = createSocket("udp4");
  socket.on("message", (bytes, { port, address }) => {
    const answer = Buffer.from(bytes.subarray(0, 12 + QUESTION.length));
    answer[2] = 0x81;
    answer[11] = 0; // no OPT
    if (answers) socket.send(answer, port, address);
  });
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  return { address: "127.0.0.1", port: socket.address().port, close: () => socket.close() };
}

const [speaks, silent] = [await server(true), await server(false)];
let id = 0;

function ask(upstream: { address: string; port: number }): Promise<Exchange> {
  id += 1;
  const terms = { limit: seconds(1), late: seconds(0), onOverdue: () => {}, onIgnored: () => {} };
  const said = { mixedCase: false, dnssecOk: false, checkingDisabled: false, edns: true };
  return exchanges.exchange({ ...terms, ...said, upstream, source: "127.0.0.1", id, question: QUESTION, clock }).result;
}

for (let i = 0; i < 80; i += 1) {
  if (i === 40) clock.advance(milliseconds(100)); // 8,000 a second
  await Promise.all(Array.from({ length: 20 }, () => ask(speaks)));
}
const pooled = exchanges.open;
const waiting = Array.from({ length: 100 }, () => ask(silent));
clock.advance(seconds(1));
const kinds = (await Promise.all(waiting)).map(({ kind }) => kind);
process.stdout.write(JSON.stringify({ pooled, kinds: [...new Set(kinds)] }));
await exchanges.close();
for (const { close } of [speaks, silent]) close();
