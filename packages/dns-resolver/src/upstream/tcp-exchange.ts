import { connect } from "node:net";
import { put16 } from "../wire/octets.ts";
import { Frames } from "../wire/frames.ts";
import { encodeRequest, failed, inOwnCase, matchAnswer, readAnswer, type Exchange, type Request } from "./exchange.ts";

export interface TcpResult {
  readonly exchange: Exchange;
  /** It was answered in another case than it was asked: here nobody but the upstream can have done that. */
  readonly caseChanged: boolean;
}

/** Asks over TCP (RFC 7766), on a connection for this one question; `question` is that of the request as it is to be written. */
export function exchangeTcp(request: Request, question: Uint8Array): Promise<TcpResult> {
  const { upstream, source, clock, limit } = request;
  return new Promise((resolve) => {
    const socket = connect({
      host: upstream.address,
      port: upstream.port,
      noDelay: true,
      ...(source === undefined ? {} : { localAddress: source }),
    });
    const frames = new Frames();
    const finish = (exchange: Exchange, caseChanged = false): void => {
      timer.cancel();
      socket.destroy();
      resolve({ exchange, caseChanged });
    };
    const timer = clock.after("upstream-tcp", limit, () => finish({ kind: "timeout" }));
    socket.on("error", (failure) => finish(failed((failure as NodeJS.ErrnoException).code ?? "unknown")));
    socket.on("close", () => finish({ kind: "unreachable", code: "closed" }));
    socket.on("connect", () => socket.write(framed(encodeRequest(request, question))));
    socket.on("data", (chunk: Buffer) => {
      frames.push(chunk);
      for (let frame = frames.next(); frame !== undefined; frame = frames.next()) {
        const match = matchAnswer(request.id, question, frame);
        if (match !== "other") return finish(inOwnCase(readAnswer(frame), request.question), match === "case-changed");
        request.onIgnored();
      }
    });
  });
}

/** RFC 1035 section 4.2.2: the length in front. */
export function framed(message: Uint8Array): Uint8Array {
  const frame = new Uint8Array(message.length + 2);
  put16(frame, 0, message.length);
  frame.set(message, 2);
  return frame;
}
