// Runs inside a client: `node ask.ts ADDRESS PORT ZONE COUNT`. Asks COUNT names below ZONE that no cache can know, all at once, and prints
// how many were answered with data.
import { createSocket } from "node:dgram";
import { decode, encode } from "dns-packet";

/** As patient as a stub resolver's first try, and a little more than a forwarder's first attempt. */
const PATIENCE_MS = 1_000;
const NO_ERROR = "NOERROR";

const [address = "", port = "", zone = "", count = ""] = process.argv.slice(2);
const socket = createSocket(address.includes(":") ? "udp6" : "udp4");
const run = process.hrtime.bigint().toString(36);
const waiting = new Set(Array.from({ length: Number(count) }, (_, id) => id));
let answered = 0;

socket.on("message", (message) => {
  const { id = 0, answers = [], ...packet } = decode(message);
  if (!waiting.delete(id)) return;
  const { rcode } = packet as { readonly rcode?: string };
  if (rcode === NO_ERROR && answers.length > 0) answered += 1;
  if (waiting.size === 0) finish();
});
for (const id of waiting) {
  const query = encode({
    type: "query",
    id,
    flags: 0x100,
    questions: [{ type: "A", name: `n${id}-${run}.${zone}`, class: "IN" }],
  });
  socket.send(query, Number(port), address);
}
const late = setTimeout(finish, PATIENCE_MS);

function finish(): void {
  clearTimeout(late);
  socket.close();
  process.stdout.write(`${answered}\n`);
}
