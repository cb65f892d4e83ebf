import { parseIPv4, parseIPv6, type Endpoint } from "./endpoint.ts";

/**
 * Receive-queue drops of the sockets bound to `local`, summed, from the last column of /proc/net/udp{,6}.
 * Undefined when no such socket is listed. Throws what `read` throws.
 */
export function dropsOf(local: Endpoint, read: (path: string) => string): number | undefined {
  const ipv6 = local.address.includes(":");
  const key = tableKey(local, ipv6);
  if (key === undefined) return undefined;
  let total: number | undefined;
  for (const line of read(ipv6 ? "/proc/net/udp6" : "/proc/net/udp").split("\n")) {
    const columns = line.trim().split(/\s+/);
    if (columns[1] !== key) continue;
    total = (total ?? 0) + Number(columns.at(-1));
  }
  return total;
}

/** The kernel prints addresses as 32-bit words in host order (little endian on x64 and arm64). */
function tableKey(local: Endpoint, ipv6: boolean): string | undefined {
  const [literal = ""] = local.address.split("%");
  const bytes = ipv6 ? parseIPv6(literal) : parseIPv4(literal);
  if (bytes === undefined) return undefined;
  let address = "";
  for (let word = 0; word < bytes.length; word += 4) {
    for (let i = 3; i >= 0; i -= 1) address += hex(bytes[word + i] ?? 0, 2);
  }
  return `${address}:${hex(local.port, 4)}`;
}

function hex(n: number, width: number): string {
  return n.toString(16).toUpperCase().padStart(width, "0");
}
