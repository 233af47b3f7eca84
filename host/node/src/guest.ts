import { readFileSync, realpathSync } from "node:fs";
import { join, relative, sep } from "node:path";

import type * as wit from "../gen/interfaces/onionskin-fs-types.js";
import type { ImportObject, Root } from "../gen/onionskin.js";
import { instantiate } from "../gen/onionskin.js";
import { OnionskinError } from "./error.js";
import type { Watch } from "./filesystem.js";
import { filesystem } from "./filesystem.js";

/** The name of the root in the component. */
export const ROOT = "/root";

const modules = new Map<string, WebAssembly.Module>();

function coreModule(path: string): WebAssembly.Module {
    const file = new URL(`../gen/${path}`, import.meta.url);
    const module = modules.get(path) ?? new WebAssembly.Module(readFileSync(file));
    modules.set(path, module);
    return module;
}

/** What the component hands out, to be committed or dropped. */
export type Resource = object & { [Symbol.dispose]?: () => void };

/** An instance of the component, with the directories that it may see. */
export class Guest {
    readonly root: string;
    readonly #grants: Map<string, string>;
    readonly #exports: Root;
    readonly #resources = new Set<Resource>();
    #stopped = false;

    constructor(root: string, lower: string[] = [], writable = true, watch?: Watch) {
        this.root = realpathSync(root);
        const lowers = lower.map((directory, at): [string, string] => [`/lower/${at}`, realpathSync(directory)]);
        this.#grants = new Map([[ROOT, this.root], ...lowers]);
        const { preopens, types } = filesystem(this.#grants, writable ? ROOT : undefined, watch);
        const imports = { "wasi:filesystem/preopens": preopens, "wasi:filesystem/types": types };
        this.#exports = instantiate(coreModule, imports as unknown as ImportObject);
    }

    /** Makes a call; an error of the contract is thrown as an `OnionskinError`. */
    call<T>(use: (exports: Root) => T): T {
        if (this.#stopped) throw stopped("the store is closed, or was stopped before");
        try {
            return use(this.#exports);
        } catch (thrown) {
            const error = thrown as Partial<wit.Error>; // As jco throws it: no instance of `Error`.
            if (error.kind && error.message) {
                throw new OnionskinError(error.kind, error.message, error.subject, error.cause);
            }
            this.#stopped = true;
            throw stopped(`the component was stopped by ${thrown}`, thrown);
        }
    }

    keep<T extends Resource>(resource: T): T {
        this.#resources.add(resource);
        return resource;
    }

    /** Makes a call that takes a resource for good, also when it fails. */
    consume<T extends Resource, A>(resource: T, use: (exports: Root, resource: T) => A): A {
        if (!this.#resources.delete(resource)) {
            throw new OnionskinError("invalid-argument", "it was committed or dropped: begin again");
        }
        return this.call((exports) => use(exports, resource));
    }

    drop(resource: Resource): void {
        if (this.#resources.delete(resource) && !this.#stopped) this.call(() => resource[Symbol.dispose]?.());
    }

    /** Drops what is left, the youngest first: the store itself is the last. */
    close(): void {
        for (const resource of [...this.#resources].reverse()) this.drop(resource);
        this.#stopped = true;
    }

    /** The name in the component of a place on the host; of several grants, the nearest. */
    guestPath(host: string): string {
        const place = realpathSync(host);
        const above = [...this.#grants].filter(([, granted]) => (place + sep).startsWith(granted + sep));
        const nearest = above.sort((one, other) => other[1].length - one[1].length)[0];
        if (nearest) return join(nearest[0], relative(nearest[1], place));
        const message = `${host}: leads to ${place}, which was not granted: pass it as lower`;
        throw new OnionskinError("symlink-escapes", message, host);
    }
}

function stopped(what: string, cause?: unknown): OnionskinError {
    return new OnionskinError("stopped", `${what}: open the root again`, "", cause);
}
