import { ConfigError, hostPort, section, type SiteDocument } from "@stitch/config";
import { z } from "zod";
import type { AnnouncerConfig } from "../config.ts";
import { remoteTlsSection, tlsKeys, type TlsKeys } from "./remote-tls.ts";
import { fileNamed, namesFile, textOf, type Complain } from "./secret-file.ts";

/** 128 bits in hexadecimal. A shorter one could be guessed over the network. */
const SHORTEST_TOKEN = 32;

export const remoteSection = section({
  /** An address of this machine, never a VIP. */
  listen: hostPort(),
  /** `file:PATH` of the file that holds the token: site.yaml is read by people who may not drain. */
  token: z.string().min(1).optional(),
  /** Without it the token travels as it is: a management network, or loopback behind TLS. */
  tls: remoteTlsSection.optional(),
});

type RemoteConfig = z.infer<typeof remoteSection>;

/** What opens the remote control: each that is there is needed, and one of token and client CA is. */
export interface RemoteKeys {
  readonly token: string | undefined;
  readonly tls: TlsKeys | undefined;
}

const NO_FILE = "must be file:PATH, of a file that holds the token";
const EVERY_ADDRESS: ReadonlySet<string> = new Set(["0.0.0.0", "::"]);

/** What is wrong with the setting, as setting and sentence; what may be a token is not quoted. */
export function remoteContradictions({ listen, token, tls }: RemoteConfig): (readonly [string, string])[] {
  const found: (readonly [string, string])[] = [];
  if (EVERY_ADDRESS.has(listen.address)) {
    const why = "would be reached by every address, the VIPs too; name loopback or one management address";
    found.push(["listen", why]);
  }
  if (token === undefined && tls?.clientCa === undefined)
    found.push([
      "token",
      "is missing, and so is tls.clientCa: whoever reached it could drain; set one of them, or both",
    ]);
  if (token !== undefined && !namesFile(token)) found.push(["token", NO_FILE]);
  return found;
}

/** Reads the files that the section names; undefined where there is none. Throws ConfigError, which never quotes a secret. */
export function remoteKeys(document: SiteDocument, { remote }: AnnouncerConfig): RemoteKeys | undefined {
  if (remote === undefined) return undefined;
  const complainOf =
    (...path: string[]): Complain =>
    (message) => {
      throw new ConfigError(document.file, [document.problemAt(["announcer", "remote", ...path], message)]);
    };
  const { token, tls } = remote;
  return {
    token: token === undefined ? undefined : tokenIn(document, token, complainOf("token")),
    tls: tls === undefined ? undefined : tlsKeys(document, tls, (setting) => complainOf("tls", setting)),
  };
}

function tokenIn(document: SiteDocument, setting: string, complain: Complain): string {
  const path = fileNamed(document, setting) ?? complain(NO_FILE);
  const token = textOf(path, complain).trim();
  if (!/^[\x21-\x7e]*$/.test(token)) complain(`${path} holds more than one word of printable ASCII`);
  if (token.length < SHORTEST_TOKEN)
    complain(`${path} holds ${token.length} characters; a token needs ${SHORTEST_TOKEN} (openssl rand -hex 32)`);
  return token;
}
