import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { ConfigError, hostPort, section, type SiteDocument } from "@stitch/config";
import { z } from "zod";
import type { AnnouncerConfig } from "../config.ts";

const FROM_FILE = "file:";
/** 128 bits in hexadecimal. A shorter one could be guessed over the network. */
const SHORTEST_TOKEN = 32;

export const remoteSection = section({
  /** An address of this machine, never a VIP. The token travels as it is: a management network, or loopback behind TLS. */
  listen: hostPort(),
  /** `file:PATH` of the file that holds the token: site.yaml is read by people who may not drain. */
  token: z.string().min(1),
});

type RemoteConfig = z.infer<typeof remoteSection>;

const EVERY_ADDRESS: ReadonlySet<string> = new Set(["0.0.0.0", "::"]);

/** What is wrong with the setting, as setting and sentence; what may be a token is not quoted. */
export function remoteContradictions({ listen, token }: RemoteConfig): (readonly [string, string])[] {
  const found: (readonly [string, string])[] = [];
  if (EVERY_ADDRESS.has(listen.address)) {
    const why = "would be reached by every address, the VIPs too; name loopback or one management address";
    found.push(["listen", why]);
  }
  if (!token.startsWith(FROM_FILE)) found.push(["token", "must be file:PATH, of a file that holds the token"]);
  return found;
}

/** The token of the remote control; undefined where none is asked for. Throws ConfigError, which never quotes it. */
export function remoteToken(document: SiteDocument, { remote }: AnnouncerConfig): string | undefined {
  if (remote === undefined) return undefined;
  const path = resolve(dirname(document.file), remote.token.slice(FROM_FILE.length));
  const complain = (message: string): never => {
    throw new ConfigError(document.file, [document.problemAt(["announcer", "remote", "token"], message)]);
  };
  const token = textOf(path, complain).trim();
  if (!/^[\x21-\x7e]*$/.test(token)) complain(`${path} holds more than one word of printable ASCII`);
  if (token.length < SHORTEST_TOKEN)
    complain(`${path} holds ${token.length} characters; a token needs ${SHORTEST_TOKEN} (openssl rand -hex 32)`);
  return token;
}

function textOf(path: string, complain: (message: string) => never): string {
  try {
    return readFileSync(path, "utf8");
  } catch (failure) {
    return complain(`${path} cannot be read (${(failure as NodeJS.ErrnoException).code ?? String(failure)})`);
  }
}
