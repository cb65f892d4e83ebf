import { isIPv6 } from "node:net";
import { announcerConfig } from "@stitch/announcer";
import type { SiteDocument } from "@stitch/config";
import { dnsConfig } from "@stitch/dns-resolver";
import { formatEndpoint } from "@stitch/linux-io";
import { ntpConfig } from "@stitch/sntp-responder";
import { syslogConfig } from "@stitch/syslog-collector";
import { isLoopback, ownAddresses } from "./own-addresses.ts";

/** Something in the file that is bound when its role starts. */
interface Listener {
  /** `dns.health` */
  readonly setting: string;
  /** A service's own door, where its clients come. */
  readonly service: string | undefined;
  readonly protocol: "udp" | "tcp";
  readonly address: string;
  readonly port: number;
}

/** Where two roles want the same socket, and where a service listens at an address that nobody announces. */
export function listenerWarnings(document: SiteDocument): string[] {
  const all = listenersIn(document);
  return [...clashes(all), ...(document.has("announcer") ? uncovered(document, all) : [])];
}

function listenersIn(document: SiteDocument): Listener[] {
  return [...dnsListeners(document), ...syslogListeners(document), ...ntpListeners(document), ...announcers(document)];
}

type Place = Pick<Listener, "address" | "port">;

function door(service: string, protocol: Listener["protocol"], { address, port }: Place): Listener {
  return { setting: `${service}.listen`, service, protocol, address, port };
}

function page(setting: string, { address, port }: Place): Listener {
  return { setting, service: undefined, protocol: "tcp", address, port };
}

function dnsListeners(document: SiteDocument): Listener[] {
  if (!document.has("dns")) return [];
  const { listen, health } = dnsConfig(document);
  const doors = listen.flatMap((each) => [door("dns", "udp", each), door("dns", "tcp", each)]);
  return [...doors, page("dns.health", health)];
}

function syslogListeners(document: SiteDocument): Listener[] {
  if (!document.has("syslog")) return [];
  const { listen, health } = syslogConfig(document);
  const doors = listen.map((each) => door("syslog", each.scheme === "udp" ? "udp" : "tcp", each));
  return [...doors, page("syslog.health", health)];
}

function ntpListeners(document: SiteDocument): Listener[] {
  if (!document.has("ntp")) return [];
  const { listen, health } = ntpConfig(document);
  return [...listen.map((each) => door("ntp", "udp", each)), page("ntp.health", health)];
}

function announcers(document: SiteDocument): Listener[] {
  if (!document.has("announcer")) return [];
  const { health, remote } = announcerConfig(document);
  return [
    ...(health === undefined ? [] : [page("announcer.health", health)]),
    ...(remote === undefined ? [] : [page("announcer.remote.listen", remote.listen)]),
  ];
}

/** Each role looks at its own list itself; here is what only several sections together can show. */
function clashes(all: readonly Listener[]): string[] {
  return all.flatMap((one, i) =>
    all
      .slice(i + 1)
      .filter((other) => other.setting !== one.setting && meet(one, other))
      .map(
        (other) =>
          `${one.setting} and ${other.setting} both want ${one.protocol} ${formatEndpoint(one)}: on one machine the second does not start`,
      ),
  );
}

function meet(one: Listener, other: Listener): boolean {
  if (one.protocol !== other.protocol || one.port !== other.port || one.port === 0) return false;
  return one.address === other.address || takesAll(one, other) || takesAll(other, one);
}

function takesAll({ address }: Listener, { address: other }: Listener): boolean {
  return address === "::" || (address === "0.0.0.0" && !isIPv6(other));
}

/** Unicast doors beside the VIPs are good practice; what the file does not know as this machine's own is taken for a slip. */
function uncovered(document: SiteDocument, all: readonly Listener[]): string[] {
  const known = new Set(["0.0.0.0", "::", ...ownAddresses(announcerConfig(document))]);
  const strange = all.filter(({ service, address }) => service !== undefined && !known.has(address));
  const remote = strange.filter(({ address }) => !isLoopback(address));
  return [...new Set(remote.map(({ setting, address }) => `${setting}: ${address}`))].map(
    (place) => `${place} is neither a VIP nor known as this machine's own: no route leads clients there`,
  );
}
