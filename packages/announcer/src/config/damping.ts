import { minutes, seconds } from "@stitch/clock";
import { duration, section } from "@stitch/config";

export const dampingSection = section({
  /** The penalty of past falls halves in this time. */
  halfLife: duration({ min: seconds(1), max: minutes(1_440) }).default(minutes(1)),
  /** The longest wait that repeated falls can cost. */
  max: duration({ min: seconds(1), max: minutes(1_440) }).default(minutes(10)),
});
