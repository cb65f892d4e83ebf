/** A list of a million names is read again and again while clients ask: nobody waits for it, and the site stays announced. */
import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { Clients } from "../flow/reloads/clients.ts";
import { ReloadedResolver } from "../flow/reloads/resolver.ts";

const NAMES = 1_000_000;
const RELOADS = 5;

test("reloads with a million blocked names lose no query, and the verdict stays", async () => {
  const resolver = await ReloadedResolver.start();
  try {
    const list = join(dirname(resolver.file), "blocked");
    const routes = resolver.settings(1);
    const clients = new Clients(resolver.port);
    clients.start(5);
    for (let n = 1; n <= RELOADS; n += 1) {
      const names = Array.from(
        { length: NAMES },
        (_, i) => `${((i + n) * 2_654_435_761) % 2 ** 32}.tracker${i % 977}.example`,
      );
      writeFileSync(list, names.join("\n"));
      resolver.writeSite(`${routes}  policies: [ { file: blocked, kind: domains } ]\n`);
      await resolver.reload("reload done");
    }
    const lost = await clients.stop();
    process.stdout.write(`dns: ${RELOADS} reloads of ${NAMES} names under ${clients.sent} queries: ${lost} lost\n`);
    expect(lost).toBe(0);
    expect(clients.wrong).toEqual([]);
    expect(clients.sent).toBeGreaterThan(1_000);
    expect(resolver.output).toContain(`"names":${NAMES}`);
    expect(resolver.output).not.toContain('"verdict":"fail"');
  } finally {
    await resolver.end();
  }
});
