// Runs inside a node: `node upstream.ts ADDRESS PORT`. A DNS server that gives every question the same address: what a site's resolver
// forwards to, without a zone that anybody has to keep.
import { createSocket } from "node:dgram";
import { decode, encode } from "dns-packet";
import { WARM } from "./record.ts";

const ANSWER = 0x8580;
const ADDRESS = "192.0.2.80";

const [address = "", port = ""] = process.argv.slice(2);
const socket = createSocket("udp4");

socket.on("message", (message, from) => {
  const { id = 0, questions = [] } = decode(message);
  const [question] = questions;
  const answers = question?.type === "A" ? [{ type: "A" as const, name: question.name, ttl: 60, data: ADDRESS }] : [];
  socket.send(encode({ type: "response", id, flags: ANSWER, questions, answers }), from.port, from.address);
});
socket.bind(Number(port), address, () => void process.stdout.write(`${WARM}\n`));
