import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { milliseconds } from "@stitch/clock";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ask, follow } from "../src/control-client.ts";

let directory: string;
let path: string;
let server: Server;
let answer: (response: ServerResponse) => void;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "stitch-client-"));
  path = join(directory, "announcer.sock");
  server = createServer((_request, response) => answer(response));
  await new Promise<void>((resolve) => void server.listen(path, resolve));
});

afterEach(() => {
  server.closeAllConnections();
  server.close();
  rmSync(directory, { recursive: true });
});

async function followed(): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of follow(path)) lines.push(line);
  return lines;
}

describe("the client of the control socket", () => {
  test("says that an announcer which takes the question and never answers hangs", async () => {
    answer = () => undefined;
    await expect(ask(path, "GET", "/status", undefined, milliseconds(100))).rejects.toThrow(
      /took the question.*no answer within 100ms/,
    );
  });

  test("says when what answers is no announcer", async () => {
    answer = (response) => response.writeHead(400).end("404 page not found");
    await expect(ask(path, "GET", "/status")).rejects.toThrow(/announcer\.sock: is no announcer's control socket/);
  });

  test("hands over what the announcer refuses, in its words", async () => {
    answer = (response) => response.writeHead(404).end('{"error":"no such VIP"}');
    await expect(ask(path, "POST", "/drain", {})).rejects.toThrow(/^no such VIP$/);
  });

  test("says that there is no place for another watcher", async () => {
    answer = (response) => response.writeHead(503).end('{"error":"too many watchers"}');
    await expect(followed()).rejects.toThrow(/^too many watchers$/);
  });

  test("follows by lines, and says that the announcer is gone when it is", async () => {
    answer = (response) => {
      response.writeHead(200).write('{"id":1}\n{"id"');
      setImmediate(() => response.write(":2}\n", () => setImmediate(() => response.destroy())));
    };
    const lines: string[] = [];
    const following = (async () => {
      for await (const line of follow(path)) lines.push(line);
    })();
    await expect(following).rejects.toThrow(/the announcer is gone/);
    expect(lines).toEqual(['{"id":1}', '{"id":2}']);
  });

  test("says that nothing is there", async () => {
    await expect(ask(join(directory, "none.sock"), "GET", "/status")).rejects.toThrow(/no announcer answers at/);
  });
});
