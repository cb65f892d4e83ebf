/** All on loopback. The attacker speaks from the server's own address and port, which is what a forger of sources can do. */
export const PORT = 5_398;
export const HEALTH = 18_798;
export const RESOLVER = "127.98.0.1";
export const ASKS_FROM = "127.98.0.2";
export const SERVER = "127.98.0.3";
export const ZONE = "victim.example";
export const GENUINE = "192.0.2.7";
export const FORGED = "203.0.113.66";

/** How long the genuine answer is on its way: the time to guess in. */
export const ROUND_TRIP_MS = 40;

/** What the attacker knows of a question: nothing, or everything. The second shows that an attack that hits is seen. */
export type Sight = "blind" | "sighted";

export interface Attack {
  readonly sight: Sight;
  readonly seconds: number;
  /** Ports that are guessed, from the first to the last. */
  readonly ports: readonly [number, number];
}

export interface Outcome {
  readonly seconds: number;
  readonly guesses: number;
  readonly asked: number;
  readonly genuine: number;
  readonly forged: number;
  /** SERVFAIL and the like. */
  readonly failed: number;
}
