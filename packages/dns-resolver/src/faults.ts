import { REASON, type ReasonCode } from "./reasons.ts";
import { FAULT, type Fault, type Query } from "./wire/query.ts";
import { RCODE } from "./wire/registry.ts";

/** What a query that asks nothing that can be looked up is told. */
export interface Told {
  readonly rcode: number;
  readonly reason: ReasonCode;
}

const MALFORMED: Told = { rcode: RCODE.FORMERR, reason: REASON.malformed };
const OPCODE: Told = { rcode: RCODE.NOTIMP, reason: REASON.opcodeUnsupported };
const VERSION: Told = { rcode: RCODE.BADVERS, reason: REASON.ednsVersion };
const COOKIE: Told = { rcode: RCODE.NOERROR, reason: REASON.cookieGiven };

/** RFC 8906 section 3: these deserve an answer, not silence. */
export function told(fault: Fault, query: Query): Told {
  if (fault === FAULT.opcode) return OPCODE;
  if (fault === FAULT.version) return VERSION;
  return fault === FAULT.cookieAlone && query.cookieReply ? COOKIE : MALFORMED;
}
