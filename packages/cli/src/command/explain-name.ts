import { randomBytes } from "node:crypto";
import { connect, isIP } from "node:net";
import { SiteDocument } from "@stitch/config";
import { dnsConfig } from "@stitch/dns-resolver";
import { formatEndpoint, type Endpoint } from "@stitch/linux-io";
import dnsPacket from "dns-packet";
import { CommandError, UsageError } from "../usage.ts";
import type { OperateContext } from "./operate.ts";
import { ANSWER_LIMIT_MS, whyNot } from "./udp-exchange.ts";

/** `www.corp.example`: it has a dot and a letter, and is no address, prefix or endpoint. */
export function isDomainName(target: string): boolean {
  return target.includes(".") && /[a-z]/i.test(target) && isIP(target) === 0 && !/[/:]/.test(target);
}

/** Asks the resolver why it answers for `name` as it does, through the first VIP; over TCP, for it may have much to say. */
export async function explainName({ file, json, print }: OperateContext, name: string): Promise<number> {
  const document = SiteDocument.load(file);
  const [endpoint] = document.has("dns") ? dnsConfig(document).listen : [];
  if (endpoint === undefined) throw new UsageError(`${file} has no dns section: nobody here knows about ${name}`);
  const query = dnsPacket.streamEncode({
    type: "query",
    id: randomBytes(2).readUInt16BE(),
    flags: dnsPacket.RECURSION_DESIRED,
    questions: [{ type: "TXT", name: `_explain.${name.replace(/\.$/, "")}` }],
  });
  const message = dnsPacket.streamDecode(await overTcp(endpoint, query)) as dnsPacket.DecodedPacket & { rcode: string };
  const lines = (message.answers ?? []).flatMap((record) => (record.type === "TXT" ? [textOf(record.data)] : []));
  if (message.rcode === "REFUSED")
    throw new CommandError(`${formatEndpoint(endpoint)} does not tell this machine: name its network in dns.admin`);
  if (lines.length === 0) throw new CommandError(`${formatEndpoint(endpoint)} answered ${message.rcode}`);
  print(json ? JSON.stringify([lines]) : lines.join("\n"));
  return 0;
}

function textOf(data: dnsPacket.TxtData): string {
  return [data].flat().map(String).join("");
}

/** One exchange on a connection of its own: the answer with its length in front. */
function overTcp(to: Endpoint, query: Uint8Array): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = connect(to.port, to.address, () => socket.write(query));
    let received = Buffer.alloc(0);
    const fail = (why: string): void => {
      socket.destroy();
      reject(new CommandError(`${formatEndpoint(to)}: ${why}`));
    };
    socket.setTimeout(ANSWER_LIMIT_MS, () => fail(`no answer within ${ANSWER_LIMIT_MS / 1_000} s`));
    socket.on("error", (failure) => fail(whyNot(failure)));
    socket.on("close", () => fail("closed the connection without an answer"));
    socket.on("data", (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      if (received.length < 2 || received.length < 2 + received.readUInt16BE(0)) return;
      socket.destroy();
      resolve(received);
    });
  });
}
