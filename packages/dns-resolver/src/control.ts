import { boundedServer, ControlSocket } from "@stitch/health";
import type { Change } from "./reload/changes.ts";

const LARGEST_BODY = 1_024;
/** Connections at once: an operator needs one. */
const MOST_CONNECTIONS = 16;

/** `POST /reload` on a Unix socket: as SIGHUP, but whoever asks hears what came of it. Rejects with ControlError. */
export function openControl(path: string, reload: () => Promise<Change>): Promise<ControlSocket> {
  const routes = (): ReturnType<typeof boundedServer> => {
    const app = boundedServer({ body: LARGEST_BODY, connections: MOST_CONNECTIONS });
    app.post("/reload", async (_request, reply) => {
      const change = await reload();
      if (change.kind === "accepted") return reply.send(change);
      return reply.code(409).send({ error: `nothing has been changed: ${change.problems.join("\n")}` });
    });
    return app;
  };
  return ControlSocket.open({ path, setting: "dns.control", owner: "resolver", app: routes });
}
