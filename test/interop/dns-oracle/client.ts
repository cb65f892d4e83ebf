import { askTcp, askUdp } from "../one-shot.ts";
import { PORT } from "./names.ts";
import { encodeQuery, type Question, type QueryOptions } from "./wire.ts";

/** One question with a socket of its own: the reply, or undefined when none came in time. */
export async function ask(
  address: string,
  question: Question,
  options: QueryOptions,
  tcp: boolean,
  timeoutMs: number,
): Promise<Buffer | undefined> {
  const query = encodeQuery(question, options);
  return (tcp ? askTcp : askUdp)({ address, port: PORT }, query, timeoutMs);
}
