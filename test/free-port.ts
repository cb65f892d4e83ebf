import { createSocket } from "node:dgram";
import { createServer, type AddressInfo } from "node:net";

/** A port of this address that a moment ago nobody held, by TCP or by UDP. */
export async function freePort(address: string): Promise<number> {
  for (;;) {
    const port = await freeByTcp(address);
    if (await isFreeByUdp(address, port)) return port;
  }
}

async function freeByTcp(address: string): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => void server.once("error", reject).listen(0, address, resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => void server.close(resolve));
  return port;
}

async function isFreeByUdp(address: string, port: number): Promise<boolean> {
  const socket = createSocket("udp4");
  const free = await new Promise<boolean>((resolve) => {
    socket.once("error", () => resolve(false));
    socket.bind(port, address, () => resolve(true));
  });
  await new Promise<void>((resolve) => void socket.close(resolve));
  return free;
}
