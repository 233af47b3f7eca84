// Turns the built component into JavaScript and its types, in `gen/`.

import { mkdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { transpile } from "@bytecodealliance/jco-transpile";

const built = new URL("../../target/wasm32-wasip2/component/onionskin-with-powers.wasm", import.meta.url);
const component = process.env.ONIONSKIN_COMPONENT || fileURLToPath(built);
const gen = fileURLToPath(new URL("gen", import.meta.url));

const { files } = await transpile(component, { name: "onionskin", outDir: "", instantiation: "sync", wasiShim: false });
await rm(gen, { recursive: true, force: true });
for (const [path, content] of Object.entries(files)) {
    const place = join(gen, path);
    await mkdir(dirname(place), { recursive: true });
    await writeFile(place, content);
}
