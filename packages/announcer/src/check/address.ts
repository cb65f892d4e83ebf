import { createSocket } from "node:dgram";

/** Proof that the address is not here: no interface has it, or the kernel does not speak its family. */
const ABSENT: ReadonlySet<string | undefined> = new Set(["EADDRNOTAVAIL", "EAFNOSUPPORT", "EPROTONOSUPPORT"]);

/**
 * True when `address` can be bound here: as an address of an interface, as part of 127.0.0.0/8, or as a local-table
 * route. False when it is not of this machine; undefined when that cannot be told (no descriptors, no free ports).
 * Blind where the kernel is told to bind anything (net.ipv4.ip_nonlocal_bind).
 */
export function addressIsLocal(address: string): Promise<boolean | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket(address.includes(":") ? "udp6" : "udp4");
    const done = (local: boolean | undefined): void => {
      socket.close();
      resolve(local);
    };
    socket.once("error", ({ code }: NodeJS.ErrnoException) => done(ABSENT.has(code) ? false : undefined));
    socket.bind({ address, port: 0, exclusive: true }, () => done(true));
  });
}
