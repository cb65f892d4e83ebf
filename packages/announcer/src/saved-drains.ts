import { z } from "zod";
import { StateFile } from "./state-file.ts";

const savedDrain = z.object({
  vip: z.string(),
  reason: z.string(),
  forced: z.boolean(),
  /** The guard had let go, or nothing was announced. Otherwise the address may live by this last resort alone. */
  withdrawn: z.boolean(),
  /** Wall time in microseconds when it returns by itself; undefined: never. */
  returnsAt: z.number().optional(),
});

/** An operator's drain as it outlives the announcer. */
export type SavedDrain = z.infer<typeof savedDrain>;

/**
 * The operators' drains on disk: an announcer that is restarted in the middle of a maintenance must not announce what
 * an operator has drained. A disk that refuses is reported; the drain is in force all the same.
 */
export class SavedDrains {
  readonly #file: StateFile<readonly SavedDrain[]>;

  /** `path` undefined saves nothing. */
  constructor(path: string | undefined, onFailure: (failure: Error) => void) {
    this.#file = new StateFile(path, z.array(savedDrain), onFailure);
  }

  read(): readonly SavedDrain[] {
    return this.#file.read() ?? [];
  }

  save(drains: readonly SavedDrain[]): void {
    this.#file.save(drains);
  }

  /** Resolves when what was saved last is on disk, or has failed to be. */
  written(): Promise<void> {
    return this.#file.written();
  }
}
