import { X509Certificate } from "node:crypto";
import { createSecureContext } from "node:tls";
import { readText, refuse, whole } from "../local/read-text.ts";

/** Reads certificates in PEM. Throws ConfigError. */
export function readCertificates(file: string): string {
  const text = readText(file);
  if (!isCertificate(text)) refuse(file, [whole("holds no certificate in PEM (-----BEGIN CERTIFICATE-----)")]);
  return text;
}

function isCertificate(text: string): boolean {
  try {
    return new X509Certificate(text).raw.length > 0;
  } catch {
    return false;
  }
}

/** What this resolver proves itself with, in PEM. */
export interface TlsIdentity {
  readonly cert: string;
  readonly key: string;
}

/** Reads a certificate, with its chain, and its key, and sees that they belong together. Throws ConfigError. */
export function readIdentity(certFile: string, keyFile: string): TlsIdentity {
  const identity = { cert: readCertificates(certFile), key: readText(keyFile) };
  try {
    createSecureContext(identity);
  } catch (failure) {
    refuse(keyFile, [whole(`is not the key of ${certFile} (${(failure as Error).message})`)]);
  }
  return identity;
}
