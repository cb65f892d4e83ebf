/** Where a person reads how far it is. */
export type Progress = (line: string) => void;

/** Does it, and says what it was and how long it took. */
export async function timed<T>(progress: Progress, what: string, work: () => Promise<T>): Promise<T> {
  const began = performance.now();
  const result = await work();
  progress(`containers: ${what}: ${((performance.now() - began) / 1_000).toFixed(1)} s`);
  return result;
}
