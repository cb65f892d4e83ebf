import { peer, type Peer } from "@stitch/peers";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { A_IN, Asked, NAME, octets, tcp, udp, US } from "./dns-8906/asked.ts";

// RFC 8906 section 8, and what the EDNS compliance testers ask besides: each question over UDP and TCP, for local data with
// and without RD, and for a name of a route. What dig cannot write is written octet by octet. No question goes without a reply.

let asked: Asked;
let dig: Peer;

beforeAll(async () => {
  [dig, asked] = await Promise.all([peer("dig"), Asked.start()]);
});

afterAll(() => asked.end());

/** What is asked of whom, and the flags of a good answer. */
const PLACES = [
  { place: "local data without RD", args: "+norec local.test", flags: "qr aa ra" },
  { place: "local data", args: "+rec local.test", flags: "qr aa rd ra" },
  { place: "a route", args: "+rec www.far.test", flags: "qr rd ra" },
] as const;

const ADDRESS = /192\.0\.2\.80/;
const NO_EDNS = /ADDITIONAL: 0\n/;
const EDNS_0 = /EDNS: version: 0, flags:;/;
type Row = readonly [section: string, args: string, status: string, patterns: readonly RegExp[]];
const ROWS: readonly Row[] = [
  ["8.1.1", "+noedns +noad TYPE1000", "NOERROR", [/ANSWER: 0/, /\sSOA\s/, NO_EDNS]],
  ["8.1.2", "+noedns +noad A", "NOERROR", [ADDRESS, NO_EDNS]],
  ["8.1.3.1", "+noedns +noad +cd A", "NOERROR", [ADDRESS, NO_EDNS]],
  ["8.1.3.2", "+noedns +ad A", "NOERROR", [ADDRESS, NO_EDNS]],
  ["8.1.3.3", "+noedns +noad +zflag A", "NOERROR", [ADDRESS, NO_EDNS]],
  ["8.1.3.4", "+noedns +noad +aaflag +raflag A", "NOERROR", [ADDRESS, NO_EDNS]],
  ["8.2.1", "+nocookie +edns=0 +noad A", "NOERROR", [ADDRESS, EDNS_0]],
  ["8.2.2", "+nocookie +edns=1 +noednsneg +noad A", "BADVERS", [/ANSWER: 0/, EDNS_0]],
  ["8.2.2", "+nocookie +edns=100 +noednsneg +noad A", "BADVERS", [/ANSWER: 0/, EDNS_0]],
  ["8.2.2", "+nocookie +edns=255 +noednsneg +noad A", "BADVERS", [/ANSWER: 0/, EDNS_0]],
  ["8.2.3", "+nocookie +edns=0 +noad +ednsopt=100 A", "NOERROR", [ADDRESS, EDNS_0]],
  ["8.2.3", "+nocookie +edns=0 +noad +ednsopt=65535:00ff A", "NOERROR", [ADDRESS, EDNS_0]],
  ["8.2.4", "+nocookie +edns=0 +noad +ednsflags=0x80 A", "NOERROR", [ADDRESS, EDNS_0]],
  ["8.2.4", "+nocookie +edns=0 +noad +ednsflags=0x7fff A", "NOERROR", [ADDRESS, EDNS_0]],
  ["8.2.5", "+nocookie +edns=1 +noednsneg +noad +ednsflags=0x80 A", "BADVERS", [/ANSWER: 0/, EDNS_0]],
  ["8.2.6", "+nocookie +edns=1 +noednsneg +noad +ednsopt=100 A", "BADVERS", [/ANSWER: 0/, EDNS_0]],
  ["8.2.7", "+nocookie +edns=0 +noad +dnssec A", "NOERROR", [ADDRESS, /EDNS: version: 0, flags: do;/]],
  ["8.2.8", "+nocookie +edns=1 +noednsneg +noad +dnssec A", "BADVERS", [/ANSWER: 0/, /EDNS: version: 0/]],
  [
    "8.2.9",
    "+nocookie +edns=0 +noad +nsid +subnet=192.0.2.0/24 +expire A",
    "NOERROR",
    [ADDRESS, EDNS_0, /"nyc\/nyc-1"/],
  ],
  ["8.2.10", "+nocookie +noad +dnssec +bufsize=512 A", "NOERROR", [ADDRESS, /EDNS: version: 0/]],
  ["8.2.10", "+nocookie +noad +bufsize=0 A", "NOERROR", [ADDRESS, EDNS_0]],
  [
    "RFC 7873",
    "+cookie=0123456789abcdef +noad A",
    "NOERROR",
    [ADDRESS, /COOKIE: 0123456789abcdef01[0-9a-f]{30} \(good\)/],
  ],
  [
    "RFC 7873",
    "+cookie=0123456789abcdef00112233445566778899 +noad A",
    "NOERROR",
    [ADDRESS, /COOKIE: 0123456789abcdef01/],
  ],
  ["RFC 7828", "+nocookie +keepalive +noad A", "NOERROR", [ADDRESS, EDNS_0]],
  ["RFC 7830", "+nocookie +padding=128 +noad A", "NOERROR", [ADDRESS, EDNS_0]],
];

describe.each(["+notcp", "+tcp"])("dig %s", (transport) => {
  describe.each(PLACES)("asks $place", (place) => {
    test.each(ROWS)("RFC 8906 section %s: %s", async (_, args, status, patterns) => {
      const flags = status === "BADVERS" ? place.flags.replace(" aa", "") : place.flags;
      const cd = args.includes("+cd") ? " cd" : "";
      const output = await askWithDig(transport, ...place.args.split(" "), ...args.split(" "));
      expect(output).toContain(`status: ${status},`);
      expect(output).toContain(`flags: ${flags}${cd};`);
      for (const pattern of patterns) expect(output).toMatch(pattern);
    });
  });

  test.each([
    ["8.1.4", "+noedns +noad +opcode=15 +norec +header-only", "NOTIMP", /opcode: RESERVED15/],
    ["8.1.4", "+noedns +noad +opcode=status +norec local.test", "NOTIMP", /opcode: STATUS/],
    ["8.1.4", "+edns=0 +noad +opcode=notify local.test SOA", "NOTIMP", /opcode: NOTIFY/],
    ["8.1.4", "+noedns +noad +opcode=update +norec +header-only", "NOTIMP", /opcode: UPDATE/],
    ["8.1.5", "+noedns +noad +norec +header-only", "FORMERR", /QUERY: 0/],
    ["RD=0", "+noedns +noad +norec www.far.test", "REFUSED", /ANSWER: 0/],
  ])("RFC 8906 section %s: %s", async (_, args, status, pattern) => {
    const output = await askWithDig(transport, ...args.split(" "));
    expect(output).toContain(`status: ${status},`);
    expect(output).toMatch(pattern);
  });
});

async function askWithDig(...args: readonly string[]): Promise<string> {
  const at = [`@${US.address}`, "-p", String(US.port), "+tries=1", "+time=5", "+nobadcookie"];
  const { stdout } = await execa(dig.program("dig"), [...at, ...args], { env: dig.env, reject: false });
  return stdout;
}

const OPT = [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0];
const COOKIE = [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 12, 0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8];

const RCODES = ["NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"];
/** Status, opcode, questions and whether the bit Z is clear; "silence" when nothing comes. */
function words(reply: Buffer | undefined): string {
  if (reply === undefined) return "silence";
  const opcode = (reply.readUInt8(2) >> 3) & 15;
  const z = (reply.readUInt8(3) & 0x40) === 0 ? "" : " Z";
  return `${RCODES[reply.readUInt8(3) & 15] ?? "?"} opcode ${opcode} questions ${reply.readUInt16BE(4)}${z}`;
}

describe.each([
  ["UDP", udp],
  ["TCP", tcp],
])("octets over %s", (_, send) => {
  test.each<readonly [string, Buffer, string]>([
    ...[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15].map(
      (opcode) =>
        [
          `opcode ${opcode} with a question`,
          octets(opcode << 11, [1, 0, 0, 0], NAME, A_IN),
          `NOTIMP opcode ${opcode} questions 0`,
        ] as const,
    ),
    ["a cookie and no question", octets(0, [0, 0, 0, 1], COOKIE), "NOERROR opcode 0 questions 0"],
    ["a header alone", octets(0x0100, [0, 0, 0, 0]), "FORMERR opcode 0 questions 0"],
    [
      "a header that says 65535 of everything",
      octets(0x0100, [65_535, 65_535, 65_535, 65_535]),
      "FORMERR opcode 0 questions 0",
    ],
    ["two questions", octets(0x0100, [2, 0, 0, 0], NAME, A_IN, NAME, A_IN), "FORMERR opcode 0 questions 0"],
    [
      "every bit of the header but QR and the opcode",
      octets(0x07ff, [1, 0, 0, 0], NAME, A_IN),
      "NOERROR opcode 0 questions 1",
    ],
    ["two OPT records", octets(0x0100, [1, 0, 0, 2], NAME, A_IN, OPT, OPT), "FORMERR opcode 0 questions 1"],
    ["OPT among the answers", octets(0x0100, [1, 1, 0, 0], NAME, A_IN, OPT), "FORMERR opcode 0 questions 1"],
    [
      "a cookie with no client's part",
      octets(0x0100, [1, 0, 0, 1], NAME, A_IN, COOKIE.with(10, 4).with(14, 0).slice(0, 15)),
      "FORMERR opcode 0 questions 1",
    ],
    [
      "an answer in the query",
      octets(0x0100, [1, 1, 0, 0], NAME, A_IN, NAME, A_IN, [0, 0, 0, 1, 0, 4, 1, 2, 3, 4]),
      "FORMERR opcode 0 questions 1",
    ],
    ["octets behind the question", octets(0x0100, [1, 0, 0, 0], NAME, A_IN, [0, 0]), "FORMERR opcode 0 questions 1"],
    ["class 0", octets(0x0100, [1, 0, 0, 0], NAME, [0, 1, 0, 0]), "REFUSED opcode 0 questions 1"],
    ["type 0", octets(0x0100, [1, 0, 0, 0], NAME, [0, 0, 0, 1]), "REFUSED opcode 0 questions 1"],
  ])("%s", async (__, bytes, expected) => {
    expect(words(await send(bytes))).toBe(expected);
  });

  test("the question comes back as it was spelled, the id as it was", async () => {
    const spelled = Buffer.from(NAME.map((octet) => (octet > 96 && octet % 2 === 0 ? octet - 32 : octet)));
    const reply = await send(octets(0x0100, [1, 0, 0, 0], [...spelled], A_IN));
    expect(reply?.subarray(0, 2).toString("hex")).toBe("beef");
    expect(reply?.subarray(12, 12 + spelled.length)).toEqual(spelled);
  });
});

// Of datagrams it can be said that nothing came when the answer to a later one is there.
test.each([
  ["a response", octets(0x8100, [1, 0, 0, 0], NAME, A_IN)],
  ["eleven octets", octets(0x0100, [0, 0, 0, 0]).subarray(0, 11)],
])("%s gets silence", async (_, bytes) => {
  const [first, next] = await Promise.all([udp(bytes, 1_000), udp(octets(0x0100, [1, 0, 0, 0], NAME, A_IN))]);
  expect([words(first), words(next)]).toEqual(["silence", "NOERROR opcode 0 questions 1"]);
});
