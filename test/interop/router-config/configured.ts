import type { Wire } from "../bgp/wire.ts";

/** A router that was configured with nothing but what `stitch router-config` printed. */
export interface ConfiguredRouter {
  /** LOCAL_PREF of the path that it has from our speaker; undefined: it has none. */
  preference(prefix: string): Promise<number | undefined>;
  /** Seconds, as agreed with our speaker. */
  holdTime(): Promise<number>;
  /** What the program's own parser says against another stanza, which is not loaded; empty where it understands all. */
  complaintsOf(stanza: Stanza): Promise<string>;
}

/** The stanza for the router of the wire, as the command prints it. */
export type Stanza = string;

export type Configure = (wire: Wire, stanza: Stanza) => Promise<ConfiguredRouter>;
