import { loadNative } from "@stitch/linux-io";
import { formatEndpointText } from "./endpoint.ts";
import { EXIT } from "./exit.ts";
import { Service, type ServiceOptions } from "./service.ts";
import { stopWished } from "./stop-wish.ts";

/**
 * Runs a service until SIGTERM or SIGINT and resolves with the exit code. For `main.ts` files only. A second wish to
 * stop ends the process at once, with code 1.
 */
export async function runService(options: ServiceOptions): Promise<number> {
  const stop = stopWished(options.clock);
  let service: Service;
  try {
    service = await Service.start(options);
  } catch (failure) {
    return startFailure(options, failure);
  }
  options.log.info({ health: formatEndpointText(options.listenHealth.address, service.healthPort) }, "started");
  const addon = loadNative();
  if (addon.native === undefined) options.log.warn(`every datagram costs several times what it could: ${addon.why}`);
  const failure = await Promise.race([stop.then(() => service.stop()), service.failed]);
  if (failure === undefined) return EXIT.stopped;
  options.log.fatal({ err: failure }, "cannot go on");
  await service.abandon();
  return EXIT.failed;
}

/** An address that cannot be bound is the operator's to mend: one sentence, exit code 2, no stack. */
function startFailure({ log }: ServiceOptions, failure: unknown): number {
  if (failure instanceof Error && isForOperator(failure)) {
    log.fatal(failure.message);
    return EXIT.unusable;
  }
  log.fatal({ err: failure }, "could not start");
  return EXIT.failed;
}

const FOR_OPERATOR: ReadonlySet<string> = new Set(["BindError", "ConfigError", "ControlError"]);

/** Workers tell their failures by name: classes do not cross threads. */
function isForOperator(failure: NodeJS.ErrnoException): boolean {
  return FOR_OPERATOR.has(failure.name) || failure.syscall === "listen";
}
