import { generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";

/** A certificate and its key, PEM both. */
export interface Identity {
  readonly name: string;
  readonly cert: string;
  readonly key: string;
  readonly signs: KeyObject;
}

export interface CertificateOptions {
  readonly issuer?: Identity;
  readonly ca?: boolean;
  /** Days from now; below 0 it has expired. */
  readonly days?: number;
}

/** X.509 v3 (RFC 5280 section 4.1), as far as tests of TLS on 127.0.0.1 need it: P-256, ECDSA with SHA-256. */
export function certificate(name: string, { issuer, ca = false, days = 30 }: CertificateOptions = {}): Identity {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const now = Date.now();
  const validity = sequence(time(now - 60 * DAY_MS), time(now + days * DAY_MS));
  const body = sequence(
    tagged(0xa0, integer(Buffer.of(2))),
    integer(Buffer.concat([Buffer.of(1), randomBytes(8)])),
    ECDSA_WITH_SHA256,
    distinguishedName(issuer?.name ?? name),
    validity,
    distinguishedName(name),
    publicKey.export({ type: "spki", format: "der" }),
    tagged(0xa3, sequence(basicConstraints(ca), localAddress())),
  );
  const signature = sign("sha256", body, issuer?.signs ?? privateKey);
  const der = sequence(body, ECDSA_WITH_SHA256, tagged(0x03, Buffer.concat([Buffer.of(0), signature])));
  const cert = `-----BEGIN CERTIFICATE-----\n${der.toString("base64").replaceAll(/(.{64})/g, "$1\n")}\n-----END CERTIFICATE-----\n`;
  return { name, cert, key: privateKey.export({ type: "pkcs8", format: "pem" }), signs: privateKey };
}

const DAY_MS = 86_400_000;

/** DER: tag, length, contents (X.690). */
function tagged(tag: number, contents: Buffer): Buffer {
  const { length } = contents;
  const octets = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 255];
  return Buffer.concat([Buffer.of(tag, ...octets), contents]);
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return tagged(0x30, Buffer.concat(parts));
}

function integer(octets: Buffer): Buffer {
  return tagged(0x02, octets);
}

function objectId(hex: string): Buffer {
  return tagged(0x06, Buffer.from(hex, "hex"));
}

/** 1.2.840.10045.4.3.2 */
const ECDSA_WITH_SHA256 = sequence(objectId("2a8648ce3d040302"));

/** One relative name of one attribute, 2.5.4.3 (common name), as UTF8String. */
function distinguishedName(name: string): Buffer {
  return sequence(tagged(0x31, sequence(objectId("550403"), tagged(0x0c, Buffer.from(name)))));
}

/** UTCTime: YYMMDDHHMMSSZ. */
function time(ms: number): Buffer {
  const text = new Date(ms).toISOString().slice(2, 19).replaceAll(/[-T:]/g, "");
  return tagged(0x17, Buffer.from(`${text}Z`));
}

/** 2.5.29.19, critical. */
function basicConstraints(ca: boolean): Buffer {
  const value = sequence(...(ca ? [tagged(0x01, Buffer.of(0xff))] : []));
  return sequence(objectId("551d13"), tagged(0x01, Buffer.of(0xff)), tagged(0x04, value));
}

/** 2.5.29.17, subjectAltName: iPAddress 127.0.0.1. */
function localAddress(): Buffer {
  return sequence(objectId("551d11"), tagged(0x04, sequence(tagged(0x87, Buffer.of(127, 0, 0, 1)))));
}
