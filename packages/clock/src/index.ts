export type { Clock, Instant, Timer } from "./clock.ts";
export { elapsed, formatWall, later } from "./clock.ts";
export type { Duration } from "./duration.ts";
export { days, formatDuration, hours, milliseconds, minutes, scaled, seconds } from "./duration.ts";
export { SystemClock } from "./system-clock.ts";
