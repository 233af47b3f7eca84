// Makes a component of `guest.js`: node build.mjs WORLD OUT

import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";

import { componentize } from "@bytecodealliance/componentize-js";
import { _setPreopens } from "@bytecodealliance/preview2-shim/filesystem";

const [, , world, out] = process.argv;
const sourcePath = fileURLToPath(new URL("guest.js", import.meta.url));
_setPreopens({ "/": "/" }); // It reads the world through WASI, which grants nothing by itself.
const options = { sourcePath, witPath: resolve(world), worldName: "guest", disableFeatures: ["http", "fetch-event"] };
await writeFile(out, (await componentize(options)).component);
