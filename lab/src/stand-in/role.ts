// One service of the stand-in: `role.ts dns|syslog|ntp SITE`. As little as answers the probes.
import { createSocket } from "node:dgram";
import { appendFileSync } from "node:fs";
import { decode, encode } from "dns-packet";

const NSID = 3;
const ANSWER = 0x8000;
const [role = "", site = ""] = process.argv.slice(2);
const socket = createSocket("udp4");

const serve: Readonly<
  Record<string, { readonly port: number; readonly address: string; reply(message: Buffer): Buffer | undefined }>
> = {
  dns: { address: "10.10.10.53", port: 53, reply: dns },
  ntp: { address: "10.10.10.123", port: 123, reply: ntp },
  syslog: { address: "10.10.5.14", port: 514, reply: syslog },
};

function dns(message: Buffer): Buffer {
  const { id, questions } = decode(message);
  const options = [{ code: NSID, data: Buffer.from(site) }];
  const opt = {
    type: "OPT",
    name: ".",
    udpPayloadSize: 1232,
    extendedRcode: 0,
    ednsVersion: 0,
    flags: 0,
    flag_do: false,
    options,
  };
  return encode({
    type: "response",
    id: id ?? 0,
    flags: ANSWER,
    questions: questions ?? [],
    additionals: [opt as never],
  });
}

function ntp(message: Buffer): Buffer {
  const reply = Buffer.alloc(48);
  reply.set([0x24, 10]);
  message.copy(reply, 24, 40, 48);
  return reply;
}

function syslog(message: Buffer): undefined {
  appendFileSync("/var/lib/stitch/log", `${message.toString()}\n`);
}

const service = serve[role];
if (service === undefined) throw new Error(`no role ${role}`);
socket.on("message", (message, from) => {
  const reply = service.reply(message);
  if (reply !== undefined) socket.send(reply, from.port, from.address);
});
socket.bind(service.port, service.address);
