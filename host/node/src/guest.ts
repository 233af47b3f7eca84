import { readFileSync, realpathSync } from "node:fs";
import { sep } from "node:path";

import type * as wit from "../gen/interfaces/onionskin-fs-types.js";
import type { ImportObject, Root } from "../gen/onionskin.js";
import { instantiate } from "../gen/onionskin.js";
import { OnionskinError } from "./error.js";
import type { Watch } from "./filesystem.js";
import { filesystem } from "./filesystem.js";

const modules = new Map<string, WebAssembly.Module>();

function coreModule(path: string): WebAssembly.Module {
    const file = new URL(`../gen/${path}`, import.meta.url);
    const module = modules.get(path) ?? new WebAssembly.Module(readFileSync(file));
    modules.set(path, module);
    return module;
}

/** What the component hands out. */
export type Resource = object & { [Symbol.dispose]?: () => void };

/** A resource with calls of this package before its own, which throw an `OnionskinError` when they fail. */
export type With<R, Own> = Omit<R, keyof Own> & Own;

/** An instance of the component, in which each directory has the name of its place. */
export class Guest {
    readonly #grants: Map<string, boolean>;
    readonly #exports: Root;
    readonly #resources = new Set<Resource>();
    #stopped = false;

    constructor(writable: string[], readable: string[] = [], watch?: Watch) {
        const grant = (may: boolean) => (directory: string) => [realpathSync(directory), may] as const;
        this.#grants = new Map([...readable.map(grant(false)), ...writable.map(grant(true))]);
        const { preopens, types } = filesystem(this.#grants, watch);
        const imports = { "wasi:filesystem/preopens": preopens, "wasi:filesystem/types": types };
        this.#exports = instantiate(coreModule, imports as unknown as ImportObject);
    }

    /** Makes a call; an error of the contract is thrown as an `OnionskinError`. */
    call<T>(use: (exports: Root) => T): T {
        if (this.#stopped) throw stopped("it is closed, or was stopped before");
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

    /** The name in the component of what a place on the host leads to. */
    granted(host: string): string {
        const place = realpathSync(host);
        if ([...this.#grants.keys()].some((granted) => (place + sep).startsWith(granted + sep))) return place;
        const message = `${host}: leads to ${place}, which was not granted: pass it as lower`;
        throw new OnionskinError("symlink-escapes", message, host);
    }
}

/** Puts calls of this package before those of a resource, which is asked for at each call. */
export function extended<R extends Resource, Own extends object>(guest: () => Guest, resource: () => R, own: Own) {
    const forward = (_: Own, name: PropertyKey) => {
        if (name in own) return (own as any)[name];
        if (typeof name === "symbol" || !(name in resource())) return undefined;
        return (...given: unknown[]) => guest().call(() => (resource() as any)[name](...given));
    };
    return new Proxy(own, { get: forward, has: (_, name) => name in own || name in resource() }) as With<R, Own>;
}

export function encoded(data: Uint8Array | string): Uint8Array {
    return typeof data === "string" ? new TextEncoder().encode(data) : data;
}

function stopped(what: string, cause?: unknown): OnionskinError {
    return new OnionskinError("stopped", `${what}: open it again`, "", cause);
}
