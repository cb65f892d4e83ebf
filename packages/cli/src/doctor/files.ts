import { announcerConfig, remoteKeys, resolvedConfig } from "@stitch/announcer";
import { ConfigError, UnreadableFile, type SiteDocument } from "@stitch/config";

/**
 * What is wrong with the files that the site names. Where the site is only written, secrets are elsewhere, so that what
 * cannot be read is a warning. Throws ConfigError for a zone, list or certificate that is here and no good.
 */
export async function fileWarnings(document: SiteDocument): Promise<string[]> {
  const files = document.has("dns") ? await dnsFiles(document) : [];
  return [...files, ...(document.has("announcer") ? secrets(document) : [])];
}

/** What reads them is much, and no other command needs it. */
async function dnsFiles(document: SiteDocument): Promise<string[]> {
  const { checkFiles } = await import("@stitch/dns-resolver/files");
  try {
    checkFiles(document);
    return [];
  } catch (failure) {
    if (!(failure instanceof UnreadableFile)) throw failure;
    return [`${failure.message}: dns does not start without it`];
  }
}

function secrets(document: SiteDocument): string[] {
  const readings = [() => resolvedConfig(document), () => remoteKeys(document, announcerConfig(document))];
  return readings.flatMap((read) => {
    try {
      read();
      return [];
    } catch (failure) {
      if (!(failure instanceof ConfigError)) throw failure;
      return [`${failure.message}; the announcer does not start so`];
    }
  });
}
