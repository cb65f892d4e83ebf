import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { httpProbe, judge, LARGEST_BODY, type HttpCheck } from "../../src/check/http.ts";
import { parsePointer } from "../../src/check/json-pointer.ts";

const CHECK: HttpCheck = {
  url: new URL("http://127.0.0.1:9000/health"),
  status: undefined,
  verdict: undefined,
  load: undefined,
  fullLoad: 1,
  localAddress: undefined,
};
const VERDICT = parsePointer("/status");
const LOAD = parsePointer("/gpu/utilization");

test.each<[string, Partial<HttpCheck>, number, string, object]>([
  ["any 2xx passes", {}, 204, "", { verdict: "pass" }],
  [
    "a redirect fails: it would ask something else",
    {},
    302,
    "",
    { verdict: "fail", detail: "HTTP 302 at 127.0.0.1:9000" },
  ],
  ["503 fails", {}, 503, "", { verdict: "fail" }],
  ["the named status passes", { status: 401 }, 401, "", { verdict: "pass" }],
  ["and no other", { status: 401 }, 200, "", { verdict: "fail" }],
  ["a verdict in words", { verdict: VERDICT }, 200, '{"status":"UP"}', { verdict: "pass" }],
  ["a degraded one", { verdict: VERDICT }, 200, '{"status":"warn"}', { verdict: "degraded" }],
  ["a failing one", { verdict: VERDICT }, 200, '{"status":"down"}', { verdict: "fail" }],
  ["a boolean", { verdict: VERDICT }, 200, '{"status":false}', { verdict: "fail" }],
  ["an unknown word is a failure", { verdict: VERDICT }, 200, '{"status":"fine"}', { verdict: "fail" }],
  ["a missing verdict is a failure", { verdict: VERDICT }, 200, "{}", { verdict: "fail" }],
  ["no JSON is a failure", { verdict: VERDICT }, 200, "<html>", { verdict: "fail" }],
  ["a bad status wins over a good verdict", { verdict: VERDICT }, 500, '{"status":"up"}', { verdict: "fail" }],
  ["load", { load: LOAD }, 200, '{"gpu":{"utilization":0.4}}', { verdict: "pass", load: 0.4 }],
  ["load in percent", { load: LOAD, fullLoad: 100 }, 200, '{"gpu":{"utilization":40}}', { load: 0.4 }],
  ["load beyond full is full", { load: LOAD }, 200, '{"gpu":{"utilization":7}}', { load: 1 }],
])("%s", (_name, change, status, body, expected) => {
  const result = judge({ ...CHECK, ...change }, status, body);
  expect(result).toMatchObject(expected);
});

test.each(['{"gpu":{}}', '{"gpu":{"utilization":"high"}}', '{"gpu":{"utilization":-1}}', "[]", "null"])(
  "an absurd load, %s, moves nobody and fails nothing",
  (body) => {
    const result = judge({ ...CHECK, load: LOAD }, 200, body);
    expect(result.verdict).toBe("pass");
    expect(result).not.toHaveProperty("load");
  },
);

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

async function serve(answer: RequestListener): Promise<URL> {
  server = createServer(answer);
  await new Promise<void>((resolve) => server?.listen(0, "127.0.0.1", resolve));
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/health`);
}

const never = new AbortController().signal;

test("asks a real server, from the address that it is given", async () => {
  let from: string | undefined;
  const url = await serve((request, response) => {
    from = request.socket.remoteAddress;
    response.end('{"status":"ok"}');
  });
  const result = await httpProbe({ ...CHECK, url, verdict: VERDICT, localAddress: "127.0.0.9" })(never);
  expect(result).toEqual({ verdict: "pass", detail: "/status is ok" });
  expect(from).toBe("127.0.0.9");
});

test("reads a body without end up to its bound", async () => {
  const url = await serve((_request, response) => {
    const more = (): void => {
      while (response.write("x".repeat(LARGEST_BODY / 2)));
      response.once("drain", more);
    };
    more();
  });
  const result = await httpProbe({ ...CHECK, url, verdict: VERDICT })(never);
  expect(result).toMatchObject({ verdict: "fail", detail: expect.stringContaining("not JSON") as string });
});

test("ends when it is told to, and when the server breaks off", async () => {
  const url = await serve((_request, response) => void response.write("x"));
  const abort = new AbortController();
  const hanging = httpProbe({ ...CHECK, url })(abort.signal);
  abort.abort();
  await expect(hanging).rejects.toThrow();
  const broken = await serve((_request, response) => {
    response.writeHead(200, { "content-length": 10 });
    response.write("x", () => response.destroy());
  });
  await expect(httpProbe({ ...CHECK, url: broken })(never)).rejects.toThrow();
});

test("a closed port rejects with its code", async () => {
  const url = await serve(() => undefined);
  await new Promise<void>((resolve) => server?.close(() => resolve()));
  await expect(httpProbe({ ...CHECK, url })(never)).rejects.toMatchObject({ code: "ECONNREFUSED" });
});
