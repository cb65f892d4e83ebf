import { ConfigError, SiteDocument } from "@stitch/config";
import { resolvedConfig } from "../config/password.ts";
import { remoteKeys, type RemoteKeys } from "../config/remote.ts";
import type { AnnouncerConfig } from "../config.ts";

export type Read =
  | { readonly ok: true; readonly config: AnnouncerConfig; readonly keys: RemoteKeys | undefined }
  | { readonly ok: false; readonly problems: readonly string[] };

/** The file of the running announcer, read again. What is wrong with it is an answer, not an exception. */
export function readAgain(file: string, site: string, instance: string): Read {
  try {
    const document = SiteDocument.load(file);
    if (document.site !== site || document.instance !== instance) {
      const problem = `it is now the file of ${document.site}/${document.instance}, and ${site}/${instance} runs; restart the announcer`;
      return { ok: false, problems: [problem] };
    }
    const config = resolvedConfig(document);
    return { ok: true, config, keys: remoteKeys(document, config) };
  } catch (failure) {
    if (failure instanceof ConfigError) return { ok: false, problems: failure.message.split("\n") };
    return { ok: false, problems: [(failure as Error).message] };
  }
}
