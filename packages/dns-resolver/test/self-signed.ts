import { createHash, generateKeyPairSync, sign } from "node:crypto";
import { isIPv4 } from "node:net";

/** ECDSA with SHA-256 (RFC 5758), the common name, and the two extensions that a server's certificate has here. */
const ALGORITHM = Buffer.from("300a06082a8648ce3d040302", "hex");
const COMMON_NAME = Buffer.from("0603550403", "hex");
const BASIC_CONSTRAINTS = Buffer.from("300f0603551d130101ff040530030101ff", "hex");
const ALT_NAME = Buffer.from("0603551d11", "hex");

export interface SelfSigned {
  readonly cert: string;
  readonly key: string;
  /** SHA-256 of its public key in base64. */
  readonly pin: string;
}

/** A certificate for `name`, which may be an IPv4 address, signed by itself, with a key that was made a moment ago: none lies in the repository. */
export function selfSigned(name: string): SelfSigned {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const spki = publicKey.export({ type: "spki", format: "der" });
  const subject = der(0x30, der(0x31, der(0x30, COMMON_NAME, der(0x0c, Buffer.from(name)))));
  const validity = der(0x30, der(0x17, Buffer.from("200101000000Z")), der(0x18, Buffer.from("21200101000000Z")));
  const altName = der(
    0x30,
    ALT_NAME,
    der(
      0x04,
      der(0x30, isIPv4(name) ? der(0x87, Buffer.from(name.split(".").map(Number))) : der(0x82, Buffer.from(name))),
    ),
  );
  const extensions = der(0xa3, der(0x30, BASIC_CONSTRAINTS, altName));
  const version = der(0xa0, der(0x02, Buffer.of(2)));
  const serial = der(0x02, Buffer.of(1));
  const body = der(0x30, version, serial, ALGORITHM, subject, validity, subject, spki, extensions);
  const signature = der(0x03, Buffer.of(0), sign("sha256", body, privateKey));
  const text = der(0x30, body, ALGORITHM, signature).toString("base64").replace(/.{64}/g, "$&\n");
  return {
    cert: `-----BEGIN CERTIFICATE-----\n${text}\n-----END CERTIFICATE-----\n`,
    key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    pin: createHash("sha256").update(spki).digest("base64"),
  };
}

/** Tag, length, value (X.690 section 8.1). */
function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const value = Buffer.concat(parts);
  const { length } = value;
  const head =
    length < 128 ? [tag, length] : length < 256 ? [tag, 0x81, length] : [tag, 0x82, length >> 8, length & 255];
  return Buffer.concat([Buffer.from(head), value]);
}
