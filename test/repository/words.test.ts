import { describe, expect, test } from "vitest";
import { PACKAGES } from "./tree.ts";
import { load, metricsOf, optionsOf, readmeOf, reasonsOf } from "./words.ts";

// Every word that a person meets in a log, a metric or site.yaml is explained in the README of its package, and the
// README explains no word that does not exist.

const SECTIONS = (await load("packages/config/src/index.ts"))["SECTIONS"] as readonly string[];
const WITH_OPTIONS = ["announcer", "dns-resolver", "sntp-responder", "syslog-collector"];
const WITH_METRICS = [...WITH_OPTIONS, "health"];
const WITH_REASONS = [...WITH_METRICS, "bgp-speaker", "bfd"];
const ALL_METRICS = new Set(PACKAGES.flatMap(metricsOf));

test("the words are found", () => {
  expect(reasonsOf("health")).toEqual(["overloaded", "unresponsive", "warm-up-failed", "worker-hung", "wrong-answer"]);
  expect(metricsOf("health")).toContain("stitch_health_verdict");
  expect(readmeOf("health").rows).toContainEqual({ section: "Health", heading: "reason", cell: "overloaded" });
});

describe.each(WITH_REASONS)("reasons of %s", (name) => {
  const reasons = reasonsOf(name);
  const { quoted, rows } = readmeOf(name);

  test("are there, and each is in the README", () => {
    expect(reasons.length).toBeGreaterThanOrEqual(4);
    expect(reasons.filter((reason) => !quoted.has(reason))).toEqual([]);
  });

  test("and the README's tables of reasons list no other", () => {
    const listed = rows.filter(({ heading }) => heading === "reason" || heading === "reasons").map(({ cell }) => cell);
    expect(listed.length).toBeGreaterThanOrEqual(4);
    expect(listed.filter((cell) => !reasons.includes(cell))).toEqual([]);
  });
});

describe.each(WITH_METRICS)("metrics of %s", (name) => {
  test("are there, and each is in the README", () => {
    const { quoted } = readmeOf(name);
    const documented = new Set([...quoted].map((text) => text.replace(/\{.*$/, "")));
    expect(metricsOf(name).length).toBeGreaterThanOrEqual(3);
    expect(metricsOf(name).filter((metric) => !documented.has(metric))).toEqual([]);
  });
});

test.each(PACKAGES)("the README of %s names no metric that does not exist", (name) => {
  const named = [...readmeOf(name).quoted]
    .map((text) => text.replace(/\{.*$/, ""))
    .filter((text) => /^stitch_[a-z0-9_]+$/.test(text));
  expect(named.filter((metric) => !ALL_METRICS.has(metric))).toEqual([]);
});

describe.each(WITH_OPTIONS)("settings of %s", (name) => {
  test("are there, and each is in the README", async () => {
    const options = await optionsOf(name);
    const { quoted } = readmeOf(name);
    const documented = new Set([...quoted].map(plain));
    expect(options.length).toBeGreaterThanOrEqual(4);
    // A map of settings is explained by the settings in it.
    const single = options.filter((option) => !options.some((other) => other.startsWith(`${option}.`)));
    expect(single.filter((option) => !spellings(option).some((spelling) => documented.has(spelling)))).toEqual([]);
  });

  test("and the README's tables of settings list no other", async () => {
    const known = new Set((await optionsOf(name)).flatMap(spellings));
    const listed = readmeOf(name)
      .rows.filter(({ section }) => section === "Configuration")
      .map(({ cell }) => plain(cell));
    expect(listed.length).toBeGreaterThanOrEqual(4);
    expect(listed.filter((cell) => !known.has(cell))).toEqual([]);
  });
});

test("the keys at the top of site.yaml are in the README of config, and no other", () => {
  const listed = readmeOf("config")
    .rows.filter(({ heading }) => heading === "key")
    .map(({ cell }) => cell);
  expect(listed).toEqual(["site", "instance", ...SECTIONS]);
});

/** `dns.routes[].zone` and `routes[0].zone` as `routes.zone`. */
function plain(text: string): string {
  const path = text.replaceAll(/\[\d*\]/g, "").replace(/:$/, "");
  const [first = "", ...rest] = path.split(".");
  return rest.length > 0 && SECTIONS.includes(first) ? rest.join(".") : path;
}

/** A setting may be written with its whole path or, in a table of its own, from any of its parents on. */
function spellings(option: string): string[] {
  const parts = option.split(".");
  return parts.map((_, i) => parts.slice(i).join("."));
}
