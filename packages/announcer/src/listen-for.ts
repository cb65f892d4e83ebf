import type { HostPort } from "@stitch/config";
import { listenOn } from "@stitch/health";
import type { FastifyInstance } from "fastify";

/** Resolves with the port; rejects with a sentence that names the setting when the address cannot be bound. */
export async function listenFor(setting: string, app: FastifyInstance, listen: HostPort): Promise<number> {
  return listenOn(app, listen).catch((failure: unknown) => {
    const { code = String(failure) } = failure as NodeJS.ErrnoException;
    const where = `${listen.address} port ${listen.port}`;
    throw new Error(`${setting}: cannot listen on ${where} (${code}); choose an address of this machine`, {
      cause: failure,
    });
  });
}
