import { chmodSync, lstatSync, mkdirSync, rmSync, type Stats } from "node:fs";
import { connect } from "node:net";
import { dirname } from "node:path";
import type { FastifyInstance } from "fastify";

/** sockaddr_un holds 108 bytes with the terminator. */
const LONGEST_SOCKET_PATH = 107;

export interface ControlSocketOptions {
  readonly path: string;
  /** The setting that holds the path, and who owns it, for whoever must mend it. */
  readonly setting: string;
  readonly owner: string;
  /** Made when the path is free. */
  readonly app: () => FastifyInstance;
}

/** An error that tells the operator what is wrong with the control socket. */
export class ControlError extends Error {
  override readonly name = "ControlError";
}

/**
 * The operator's door to a running role: HTTP over a Unix socket, so that it works with DNS and the network down. Who may
 * open the socket (mode 0660) may do what is asked for there.
 */
export class ControlSocket {
  readonly #app: FastifyInstance;
  readonly #path: string;

  /** Rejects with ControlError when another process holds the socket or the path cannot be used. */
  static async open(options: ControlSocketOptions): Promise<ControlSocket> {
    const { path, setting } = options;
    if (Buffer.byteLength(path) > LONGEST_SOCKET_PATH) {
      throw new ControlError(`${path}: longer than a Unix socket's path may be; set ${setting} to a shorter one`);
    }
    await requireFree(options);
    const app = options.app();
    try {
      mkdirSync(dirname(path), { recursive: true });
      rmSync(path, { force: true });
      await app.listen({ path });
      chmodSync(path, 0o660);
    } catch (failure) {
      const { code = String(failure) } = failure as NodeJS.ErrnoException;
      throw new ControlError(`${path}: cannot be made (${code}); set ${setting} to a path that can`, {
        cause: failure,
      });
    }
    return new ControlSocket(app, path);
  }

  private constructor(app: FastifyInstance, path: string) {
    this.#app = app;
    this.#path = path;
  }

  async close(): Promise<void> {
    await this.#app.close();
    rmSync(this.#path, { force: true });
  }
}

/** Throws ControlError unless nothing is at `path`, or the leftover of a killed process, which may be removed. */
async function requireFree({ path, setting, owner }: ControlSocketOptions): Promise<void> {
  const found = entryAt(path);
  if (found === undefined) return;
  if (!found.isSocket()) throw new ControlError(`${path}: is not a socket; set ${setting} to another path`);
  const failure = await connectFailure(path);
  if (failure === undefined) throw new ControlError(`${path}: another ${owner} is running here; stop it first`);
  if (failure === "ECONNREFUSED" || failure === "ENOENT") return;
  throw new ControlError(`${path}: cannot tell whether another ${owner} runs here (${failure})`);
}

function entryAt(path: string): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch (failure) {
    throw new ControlError(`${path}: cannot be used (${(failure as NodeJS.ErrnoException).code})`, { cause: failure });
  }
}

/** Why nothing accepts connections at `path`; undefined when something does. */
function connectFailure(path: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    const done = (failure: string | undefined): void => {
      socket.destroy();
      resolve(failure);
    };
    socket.once("connect", () => done(undefined));
    socket.once("error", ({ code = "unknown" }: NodeJS.ErrnoException) => done(code));
  });
}
