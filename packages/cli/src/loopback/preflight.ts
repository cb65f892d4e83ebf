import { createSocket } from "node:dgram";
import { addAddress } from "@stitch/linux-io";
import { UsageError } from "../usage.ts";
import { LOOPBACK } from "./site.ts";

/**
 * Whether the addresses of the built-in site are on this machine. Linux has all of 127.0.0.0/8; macOS has 127.0.0.1
 * only and needs one alias each. Throws UsageError with the commands.
 */
export async function requireLoopbackAddresses(
  platform: NodeJS.Platform,
  isPresent: (address: string) => Promise<boolean> = present,
): Promise<void> {
  const addresses = Object.values(LOOPBACK).map(({ address }) => address);
  const missing: string[] = [];
  for (const address of addresses) {
    if (!(await isPresent(address))) missing.push(address);
  }
  if (missing.length === 0) return;
  const commands = missing.map((address) => `  ${addAddress({ address, port: 0 }, platform)}`).join("\n");
  throw new UsageError(`these addresses are not on this machine: ${missing.join(", ")}. Add them with\n${commands}`);
}

function present(address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket("udp4");
    socket.once("error", (failure: NodeJS.ErrnoException) => {
      socket.close();
      resolve(failure.code !== "EADDRNOTAVAIL");
    });
    socket.bind({ address, port: 0, exclusive: true }, () => {
      socket.close();
      resolve(true);
    });
  });
}
