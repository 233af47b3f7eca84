import { readFileSync, realpathSync } from "node:fs";

import { type ImportObject, instantiate } from "../gen/onionskin.js";
import { Instance } from "./bindings.js";
import { filesystem, type Watch } from "./wasi/filesystem.js";
import { locked } from "./wasi/lock.js";

const modules = new Map<string, WebAssembly.Module>();

function coreModule(path: string): WebAssembly.Module {
    const file = new URL(`../gen/${path}`, import.meta.url);
    const module = modules.get(path) ?? new WebAssembly.Module(readFileSync(file));
    modules.set(path, module);
    return module;
}

/** Creates an instance of the component, in which each directory is named by its path. */
export function guest(writable: string[], readable: string[] = [], watch?: Watch): Instance {
    const grant = (may: boolean) => (directory: string) => [realpathSync(directory), may] as const;
    const grants = new Map([...readable.map(grant(false)), ...writable.map(grant(true))]);
    const { preopens, types, powers } = filesystem(grants, watch);
    const imports = {
        "wasi:filesystem/preopens": preopens,
        "wasi:filesystem/types": types,
        "onionskin:fs/host-powers": powers,
    };
    return new Instance(instantiate(coreModule, imports as unknown as ImportObject), grants);
}

/** Runs a function with one more directory, which is locked and may be changed in the meantime. */
export function writing<T>(instance: Instance, directory: string, wait: number, act: (place: string) => T): T {
    return locked(directory, () => instance.granting(directory, act), wait);
}
