import { ConfigError, type SiteDocument } from "@stitch/config";
import { LONGEST_MD5_PASSWORD } from "@stitch/linux-io";
import { announcerConfig, type AnnouncerConfig } from "../config.ts";
import { fileNamed, textOf, type Complain } from "./secret-file.ts";

/** The announcer's settings, with each peer's password itself where the file names the file that holds it. */
export function resolvedConfig(document: SiteDocument): AnnouncerConfig {
  const config = announcerConfig(document);
  const passwords = peerPasswords(document, config);
  return { ...config, peers: config.peers.map((peer, i) => ({ ...peer, password: passwords[i] })) };
}

/**
 * The TCP-MD5 password of each peer, in their order; undefined for those without. Files are relative to site.yaml, and
 * the line break at their end is none of the password's. Throws ConfigError, which never quotes a password.
 */
export function peerPasswords(document: SiteDocument, { peers }: AnnouncerConfig): (string | undefined)[] {
  return peers.map(({ password: setting }, i) => {
    const complain: Complain = (message) => {
      throw new ConfigError(document.file, [document.problemAt(["announcer", "peers", i, "password"], message)]);
    };
    if (setting === undefined) return undefined;
    const file = fileNamed(document, setting);
    const password = file === undefined ? setting : textOf(file, complain).replace(/\r?\n$/, "");
    const octets = Buffer.byteLength(password);
    if (octets === 0) complain("is empty; TCP-MD5 needs one");
    if (octets > LONGEST_MD5_PASSWORD) complain(`has ${octets} octets; TCP-MD5 takes ${LONGEST_MD5_PASSWORD} at most`);
    return password;
  });
}
