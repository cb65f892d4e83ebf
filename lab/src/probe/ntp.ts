// Runs inside a client: `node ntp.ts ADDRESS PORT`. One SNTP request (RFC 4330), one JSON line about the answer.
import { createSocket } from "node:dgram";

const LENGTH = 48;
const VERSION_4_CLIENT = 0x23;
const WAIT_MS = 2_000;

const [address = "", port = ""] = process.argv.slice(2);
const request = Buffer.alloc(LENGTH);
request[0] = VERSION_4_CLIENT;
// The transmit timestamp returns as the originate timestamp: that is how an answer is recognised.
request.writeBigUInt64BE(process.hrtime.bigint(), 40);
const socket = createSocket("udp4");
const timer = setTimeout(() => report({ answered: false }), WAIT_MS);
socket.on("message", (answer) => {
  if (answer.length < LENGTH || !answer.subarray(24, 32).equals(request.subarray(40, 48))) return;
  report({ answered: true, leap: (answer[0] ?? 0) >> 6, mode: (answer[0] ?? 0) & 7, stratum: answer[1] });
});
socket.send(request, Number(port), address, () => undefined);

function report(value: object): void {
  clearTimeout(timer);
  process.stdout.write(`${JSON.stringify(value)}\n`);
  socket.close();
}
