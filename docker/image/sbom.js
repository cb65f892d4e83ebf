// sbom.js FILE: completes what `npm sbom` wrote (the npm packages) with Node itself and this image's Debian packages, and
// makes it the same for the same contents: no time of writing, a serial number that follows from the contents.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";

const file = process.argv[2] ?? "/opt/stitch/sbom.cdx.json";
const bill = JSON.parse(readFileSync(file, "utf8"));
const ours = new Set(["pkg:deb", "pkg:generic"]);

function debian() {
  const format = "${Package} ${Version} ${Architecture}\n";
  const lines = execFileSync("dpkg-query", ["--show", `--showformat=${format}`], { encoding: "utf8" });
  return lines
    .trim()
    .split("\n")
    .map((line) => {
      const [name, version, architecture] = line.split(" ");
      return component(name, version, `pkg:deb/debian/${name}@${encodeURIComponent(version)}?arch=${architecture}`);
    });
}

function component(name, version, purl) {
  return { type: "library", name, version, purl, "bom-ref": purl };
}

const node = component("node", process.versions.node, `pkg:generic/node@${process.versions.node}`);
bill.metadata.component.name = "stitch";
delete bill.metadata.timestamp;
delete bill.serialNumber;
bill.components = [
  ...bill.components.filter(({ purl = "" }) => !ours.has(purl.split("/")[0])),
  node,
  ...debian(),
].toSorted((a, b) => (a["bom-ref"] < b["bom-ref"] ? -1 : 1));
const hash = createHash("sha256").update(JSON.stringify(bill)).digest("hex");
const [a, b, c, d] = [hash.slice(0, 8), hash.slice(8, 12), hash.slice(13, 16), hash.slice(17, 20)];
// A name-based UUID (RFC 9562 version 8) of the rest of the document.
bill.serialNumber = `urn:uuid:${a}-${b}-8${c}-8${d}-${hash.slice(20, 32)}`;
writeFileSync(file, `${JSON.stringify(bill, undefined, 1)}\n`);
