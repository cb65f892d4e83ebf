/** A mistake in how `stitch` was called or configured: one sentence, exit code 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** Something that was asked for and did not work: exit code 1. */
export class CommandError extends Error {
  override readonly name = "CommandError";
}

export const USAGE = `stitch: DNS, syslog and NTP behind anycast addresses, and a route that knows when to quit

  stitch up [-c FILE] [--forward system|ADDRESS]    the whole site under one supervisor
  stitch run dns|syslog|ntp|announcer [-c FILE] [--dry-run]
                                                    one role: what a container runs
  stitch check [-c FILE]                            validate the configuration
  stitch try [-c FILE]                              one question through each VIP, answers and timings
  stitch status                                     every VIP and every BGP session
  stitch watch                                      decisions as they are made
  stitch explain [VIP|ROUTER]                       why a VIP is, or is not, announced; why a router hears, or does not
  stitch explain NAME [-c FILE]                     why the resolver answers for a domain name as it does
  stitch drain VIP|all [--for 30m] [--reason TEXT] [--force]
  stitch undrain VIP|all [--reason TEXT]
  stitch reload [-c FILE]                           announcer and resolver read their file again
  stitch replay JOURNAL [-c FILE]                   what the policy of FILE would have made of a recorded journal
  stitch router-config --vendor frr|bird|eos|ios-xe|nx-os|junos [--peer ADDRESS]
                                                    what the routers need on their side
  stitch logs [-f] [--since 1h] [--sender A] [--host H] [--severity S] [TEXT]

  -c FILE   site.yaml; without it what STITCH_SITE names, or else the built-in site on loopback
  --dry-run  of run announcer: decide and journal, announce nothing; of status, watch, explain: speak to that one
  --version
  --json    machine-readable output of check, try, status, watch, explain, drain, undrain, reload, replay, router-config and logs
Exit codes: 0 done, 1 failed, 2 wrong usage or configuration.
`;
