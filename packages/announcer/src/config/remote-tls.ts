import { createPrivateKey, X509Certificate, type KeyObject } from "node:crypto";
import { section, type SiteDocument } from "@stitch/config";
import { z } from "zod";
import { pathBeside, textOf, type Complain } from "./secret-file.ts";

export const remoteTlsSection = section({
  /** PEM: the server's certificate, and after it those between it and a root that clients know. */
  cert: z.string().min(1),
  /** PEM, without a passphrase: nobody is there to type one. */
  key: z.string().min(1),
  /** PEM: whose certificates a client must have. A CA of its own, for every certificate of it may drain. */
  clientCa: z.string().min(1).optional(),
});

/** What the files hold. */
export interface TlsKeys {
  readonly cert: string;
  readonly key: string;
  readonly clientCa: string | undefined;
}

/** Reads the files and makes sure that they can serve: a server that could not be spoken to would be found out too late. */
export function tlsKeys(
  document: SiteDocument,
  { cert, key, clientCa }: z.infer<typeof remoteTlsSection>,
  complainOf: (setting: string) => Complain,
): TlsKeys {
  const own = certificatesIn(document, cert, complainOf("cert"));
  const keyPath = pathBeside(document, key);
  const keyText = textOf(keyPath, complainOf("key"));
  if (own.first.checkPrivateKey(privateKey(keyPath, keyText, complainOf("key"))) !== true)
    complainOf("key")(`${keyPath} is not the key of ${own.path}`);
  return { cert: own.text, key: keyText, clientCa: authority(document, clientCa, complainOf("clientCa")) };
}

function privateKey(path: string, text: string, complain: Complain): KeyObject {
  try {
    return createPrivateKey(text);
  } catch {
    return complain(`${path} holds no private key (PEM, without a passphrase)`);
  }
}

/** An empty file would be worse than none: with no CA of ours, that of every website is taken. */
function authority(document: SiteDocument, file: string | undefined, complain: Complain): string | undefined {
  if (file === undefined) return undefined;
  const { path, text, all } = certificatesIn(document, file, complain);
  const other = all.find(({ ca }) => !ca);
  if (other !== undefined) complain(`${path} holds a certificate that is no CA's (${other.subject})`);
  return text;
}

interface Certificates {
  readonly path: string;
  readonly text: string;
  readonly first: X509Certificate;
  readonly all: readonly X509Certificate[];
}

const ONE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

function certificatesIn(document: SiteDocument, file: string, complain: Complain): Certificates {
  const path = pathBeside(document, file);
  const text = textOf(path, complain);
  const all = (text.match(ONE) ?? []).map((each) => certificate(each, path, complain));
  const [first = complain(`${path} holds no certificate (PEM)`)] = all;
  return { path, text, first, all };
}

function certificate(text: string, path: string, complain: Complain): X509Certificate {
  try {
    return new X509Certificate(text);
  } catch {
    return complain(`${path} holds a certificate that cannot be read`);
  }
}
