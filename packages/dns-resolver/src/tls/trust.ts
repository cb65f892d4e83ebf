import { createHash } from "node:crypto";
import { isIP } from "node:net";
import { checkServerIdentity, type ConnectionOptions, type TLSSocket } from "node:tls";

/** Who may answer for an upstream. A name is what its certificate must bear; a pin is its key, whoever has signed it. */
export interface TlsTrust {
  readonly name: string | undefined;
  /** SHA-256 of the public key as it stands in the certificate, in base64 (RFC 7858 section 4.2); one of them is enough. */
  readonly pins: readonly string[];
  /** Certificates in PEM that names are verified with, instead of those that Node brings. */
  readonly ca: string | undefined;
}

/** How the connection is opened: with pins the chain and the name are nothing, without them they are everything. */
export function trustOptions({ name, pins, ca }: TlsTrust): ConnectionOptions {
  return {
    minVersion: "TLSv1.2",
    ALPNProtocols: ["dot"],
    rejectUnauthorized: pins.length === 0,
    ...named(name),
    ...(ca === undefined ? {} : { ca }),
  };
}

/** An address is no name to ask for (RFC 6066 section 3), and is verified all the same where a certificate bears it. */
function named(name: string | undefined): ConnectionOptions {
  if (name === undefined) return {};
  if (isIP(name) === 0) return { servername: name };
  return { checkServerIdentity: (_, certificate) => checkServerIdentity(name, certificate) };
}

/** Whether the other side has shown a pinned key; a resumed session is one that had. */
export function isTrusted(socket: TLSSocket, { pins }: TlsTrust): boolean {
  if (pins.length === 0 || socket.isSessionReused()) return true;
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return false;
  const key = certificate.publicKey.export({ type: "spki", format: "der" });
  return pins.includes(createHash("sha256").update(key).digest("base64"));
}
