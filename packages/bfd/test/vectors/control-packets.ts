import type { RefusedReason } from "../../src/reasons.ts";
import type { ControlPacket } from "../../src/wire/index.ts";

export interface Vector {
  readonly intent: string;
  readonly bytes: string;
  readonly value: ControlPacket;
}

const PLAIN = {
  diagnostic: 0,
  poll: false,
  final: false,
  controlPlaneIndependent: false,
  authenticationPresent: false,
  demand: false,
  detectMultiplier: 3,
  requiredMinEchoRx: 0,
} as const;

/** What we send. */
export const OWN: readonly Vector[] = [
  {
    intent: "the first packet: Down, the peer unknown, a second between packets",
    bytes: "20 40 03 18 0a0b0c0d 00000000 000f4240 000493e0 00000000",
    value: {
      ...PLAIN,
      state: "Down",
      myDiscriminator: 0x0a0b0c0d,
      yourDiscriminator: 0,
      desiredMinTx: 1_000_000,
      requiredMinRx: 300_000,
    },
  },
  {
    intent: "Up, asking for 300 ms with a poll",
    bytes: "20 e0 03 18 0a0b0c0d f1f2f3f4 000493e0 000493e0 00000000",
    value: {
      ...PLAIN,
      state: "Up",
      poll: true,
      myDiscriminator: 0x0a0b0c0d,
      yourDiscriminator: 0xf1f2f3f4,
      desiredMinTx: 300_000,
      requiredMinRx: 300_000,
    },
  },
  {
    intent: "the answer to a poll, at 50 ms x 3",
    bytes: "20 d0 03 18 00000001 ffffffff 0000c350 0000c350 00000000",
    value: {
      ...PLAIN,
      state: "Up",
      final: true,
      myDiscriminator: 1,
      yourDiscriminator: 0xffffffff,
      desiredMinTx: 50_000,
      requiredMinRx: 50_000,
    },
  },
  {
    intent: "a planned end: AdminDown, administratively down",
    bytes: "27 00 03 18 00000001 00000002 000f4240 000493e0 00000000",
    value: {
      ...PLAIN,
      diagnostic: 7,
      state: "AdminDown",
      myDiscriminator: 1,
      yourDiscriminator: 2,
      desiredMinTx: 1_000_000,
      requiredMinRx: 300_000,
    },
  },
];

/** What others may send. */
export const FOREIGN: readonly Vector[] = [
  {
    intent: "FRR's bfdd: C bit, echo offered at 50 ms",
    bytes: "20 c8 03 18 00000007 00000001 000493e0 000493e0 0000c350",
    value: {
      ...PLAIN,
      state: "Up",
      controlPlaneIndependent: true,
      myDiscriminator: 7,
      yourDiscriminator: 1,
      desiredMinTx: 300_000,
      requiredMinRx: 300_000,
      requiredMinEchoRx: 50_000,
    },
  },
  {
    intent: "a diagnostic that is not assigned, demand mode, octets beyond the length",
    bytes: "3f c2 ff 18 00000007 00000001 ffffffff 00000000 00000000 deadbeef",
    value: {
      ...PLAIN,
      diagnostic: 31,
      state: "Up",
      demand: true,
      detectMultiplier: 255,
      myDiscriminator: 7,
      yourDiscriminator: 1,
      desiredMinTx: 4_294_967_295,
      requiredMinRx: 0,
    },
  },
  {
    intent: "with simple password authentication (section 4.2), which is for the session table to refuse",
    bytes: "20 44 03 1c 00000007 00000000 000f4240 000f4240 00000000 01 04 01 61",
    value: {
      ...PLAIN,
      state: "Down",
      authenticationPresent: true,
      myDiscriminator: 7,
      yourDiscriminator: 0,
      desiredMinTx: 1_000_000,
      requiredMinRx: 1_000_000,
    },
  },
];

/** What is refused. Each also has what a later check would refuse, so that the order of the checks shows. */
export const REFUSED: readonly { readonly intent: string; readonly bytes: string; readonly reason: RefusedReason }[] = [
  { intent: "nothing", bytes: "", reason: "truncated" },
  { intent: "not even a length", bytes: "20 40 03", reason: "truncated" },
  {
    intent: "version 0, and a length of zero",
    bytes: "00 40 03 00 00000007 00000000 000f4240 000f4240 00000000",
    reason: "unsupported-version",
  },
  {
    intent: "version 7, and shorter than it says",
    bytes: "e0 40 03 18",
    reason: "unsupported-version",
  },
  {
    intent: "length 23, and fewer octets than that",
    bytes: "20 40 00 17 00000007",
    reason: "bad-length",
  },
  {
    intent: "authentication without room for it, and multiplier 0",
    bytes: "20 44 00 19 00000007 00000000 000f4240 000f4240 00000000 01",
    reason: "bad-length",
  },
  {
    intent: "one octet less than it says, and multiplier 0",
    bytes: "20 40 00 18 00000007 00000000 000f4240 000f4240 000000",
    reason: "truncated",
  },
  {
    intent: "multiplier 0, and multipoint",
    bytes: "20 41 00 18 00000007 00000000 000f4240 000f4240 00000000",
    reason: "zero-multiplier",
  },
  {
    intent: "multipoint, and my discriminator 0",
    bytes: "20 41 03 18 00000000 00000000 000f4240 000f4240 00000000",
    reason: "multipoint",
  },
  {
    intent: "my discriminator 0",
    bytes: "20 40 03 18 00000000 00000000 000f4240 000f4240 00000000",
    reason: "zero-my-discriminator",
  },
];
