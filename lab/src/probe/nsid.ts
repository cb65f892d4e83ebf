import { decode, encode } from "dns-packet";

/** EDNS option 3 (RFC 5001): a resolver of ours says SITE/INSTANCE in it. */
const NSID = 3;

/** A question for the TXT of `name` that also asks who answers; its id is 0, for the sender to set. */
export function whoAnswers(name: string): Buffer {
  return encode({
    type: "query",
    id: 0,
    flags: 0,
    questions: [{ type: "TXT", name, class: "IN" }],
    additionals: [
      {
        type: "OPT",
        name: ".",
        udpPayloadSize: 1232,
        extendedRcode: 0,
        ednsVersion: 0,
        flags: 0,
        flag_do: false,
        options: [{ code: NSID, data: Buffer.alloc(0) }],
      } as never,
    ],
  });
}

/** Who gave an answer: its site, or its instance. */
export function answererOf(message: Buffer, part: "site" | "instance"): string {
  try {
    const opt = decode(message).additionals?.find((record) => record.type === "OPT");
    const options = (opt as { options?: { code: number; data?: Buffer }[] } | undefined)?.options ?? [];
    const nsid = options.find(({ code }) => code === NSID)?.data?.toString("latin1");
    return nsid?.split(/[/.]/)[part === "instance" ? 1 : 0] ?? "no NSID";
  } catch {
    return "unreadable";
  }
}
