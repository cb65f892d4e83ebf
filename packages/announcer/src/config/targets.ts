import { isIP } from "node:net";

/** The address in a URL, without the brackets of IPv6. */
export function hostOf(url: URL): string {
  return url.hostname.replace(/^\[(.*)\]$/, "$1");
}

/** Where a service streams its lease; a URL without a path gets the path that every service of Stitch has. */
export function leaseUrl(text: string): URL | undefined {
  const url = addressUrl(text);
  if (url === undefined || url.search !== "") return undefined;
  return url.pathname === "/" ? new URL("/health/lease", url) : url;
}

/** An http URL whose host is an address: a check that asks DNS first would fail with it. */
export function addressUrl(text: string): URL | undefined {
  const url = URL.parse(text);
  if (url === null || url.protocol !== "http:" || url.hash !== "" || url.username !== "") return undefined;
  return isIP(hostOf(url)) === 0 ? undefined : url;
}
