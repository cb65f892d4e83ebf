import type { Prefix } from "@stitch/config";

/** RFC 1918 and RFC 4193: whoever is inside. Loopback may always ask. */
export const INSIDE: readonly Prefix[] = [
  { family: "ipv4", address: "127.0.0.0", length: 8 },
  { family: "ipv4", address: "10.0.0.0", length: 8 },
  { family: "ipv4", address: "172.16.0.0", length: 12 },
  { family: "ipv4", address: "192.168.0.0", length: 16 },
  { family: "ipv6", address: "fd00::", length: 8 },
];
