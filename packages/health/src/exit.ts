/** Exit codes of every role: a person must act on 2, a supervisor restarts after 1. */
export const EXIT = { stopped: 0, failed: 1, unusable: 2 } as const;
