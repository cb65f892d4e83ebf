/** RFC 5880 section 4.1, Diagnostic: why the sender's last session ended; the index is the code. */
const NAMES = [
  "no diagnostic",
  "control detection time expired",
  "echo function failed",
  "neighbor signaled session down",
  "forwarding plane reset",
  "path down",
  "concatenated path down",
  "administratively down",
  "reverse concatenated path down",
] as const;

export const NO_DIAGNOSTIC = 0;
export const DETECTION_EXPIRED = 1;
export const NEIGHBOR_SIGNALED_DOWN = 3;
export const ADMINISTRATIVELY_DOWN = 7;

/** For people; codes 9 to 31 are not assigned. */
export function diagnosticName(code: number): string {
  return NAMES[code] ?? `diagnostic ${code}`;
}
