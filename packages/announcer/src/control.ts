import { ControlSocket } from "@stitch/health";
import { controlRoutes, type ControlSource } from "./control-routes.ts";

/** Connections at once, watchers included. A script that leaks them must not take the descriptors that BGP needs. */
const MOST_CONNECTIONS = 128;
export interface ControlOptions extends ControlSource {
  readonly path: string;
}

/** The operator's door to the announcer: who may open the socket may drain. Rejects with ControlError. */
export function openControl(options: ControlOptions): Promise<ControlSocket> {
  return ControlSocket.open({
    path: options.path,
    setting: "announcer.control",
    owner: "announcer",
    app: () => controlRoutes(options, MOST_CONNECTIONS),
  });
}
