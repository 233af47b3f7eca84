// Makes a component of `guest.js`, or of another source with the world of that name:
// node build.mjs WORLD OUT [SOURCE WORLD_NAME]

import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";

import { componentize } from "@bytecodealliance/componentize-js";
import { _setPreopens } from "@bytecodealliance/preview2-shim/filesystem";

const guest = fileURLToPath(new URL("guest.js", import.meta.url));
const [, , world, out, sourcePath = guest, worldName = "guest"] = process.argv;
_setPreopens({ "/": "/" }); // It reads the world through WASI, which grants nothing by itself.
const options = { sourcePath, witPath: resolve(world), worldName, disableFeatures: ["http", "fetch-event"] };
await writeFile(out, (await componentize(options)).component);
