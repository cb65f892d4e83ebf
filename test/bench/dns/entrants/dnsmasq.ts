import { peer } from "@stitch/peers";
import { ADDRESS } from "../client.ts";
import { answers, CACHE_ENTRIES, UPSTREAM_PORT, type Absent, type Entrant, type Setup } from "../entrant.ts";

const PORT = 5_404;

/** One thread in one process, whatever there is; a cache of so many names, made at the start. */
export async function dnsmasq({ workers }: Setup): Promise<Entrant | Absent> {
  if (workers > 1) return { name: "dnsmasq", absent: "it has one thread" };
  const found = await peer("dnsmasq");
  const command = (cache: number): [string, ...string[]] => [
    found.program("dnsmasq"),
    "--keep-in-foreground",
    "--conf-file=/dev/null",
    "--user=root",
    "--group=",
    "--pid-file=",
    "--log-facility=-",
    "--no-resolv",
    "--no-hosts",
    "--bind-interfaces",
    `--listen-address=${ADDRESS}`,
    `--port=${PORT}`,
    `--server=${ADDRESS}#${UPSTREAM_PORT}`,
    "--dns-forward-max=10000",
    "--edns-packet-max=1232",
    `--cache-size=${cache}`,
  ];
  const serves = { port: PORT, ready: answers };
  return {
    name: "dnsmasq",
    version: found.version,
    settings: `cache-size ${CACHE_ENTRIES}, dns-forward-max 10000`,
    command: command(CACHE_ENTRIES),
    env: found.env,
    serves,
    without: { name: "dnsmasq", command: command(0), env: found.env, serves },
  };
}
