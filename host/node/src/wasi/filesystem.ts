import { statSync } from "node:fs";
import { join } from "node:path";

import { createFilesystem, types } from "@bytecodealliance/preview2-shim/filesystem";

import { metadataHash } from "./identity.js";
import { powers } from "./powers.js";

type Call = (...given: any[]) => any;

/** Called before each call of the component on the filesystem, for traces and tests. */
export type Watch = (call: string) => void;

const READING = ["getType", "stat", "statAt", "read", "readDirectory", "readlinkAt", "sync"];
const REMOVING = ["removeDirectoryAt", "unlinkFileAt"];
const CHANGING = ["write", "setSize", "createDirectoryAt", "linkAt", "renameAt", "symlinkAt", ...REMOVING];

/**
 * The filesystem of preview2-shim with the directories that are granted at the time of a call, each
 * named by its path, and whether it may be changed.
 *
 * Corrected here: the shim has no read-only grants. Some of its errors are not codes of WASI, which
 * would stop the component. It looks a directory up by its path in every call, so a directory that was
 * replaced is refused. Node shows a name that is not UTF-8 as another name, so it is refused as WASI
 * requires. And the shim's identity of a directory depends on its content.
 */
export function filesystem(grants: Map<string, boolean>, watch: Watch | undefined) {
    class Descriptor {
        constructor(
            readonly inner: any,
            readonly grant: string,
            readonly place: string,
            readonly identity = identify(place),
        ) {}

        openAt(path: any, name: string, how: any, access: any) {
            const inner = this.call(how.create || how.truncate || access.write, "openAt", [path, name, how, access]);
            return new Descriptor(inner, this.grant, join(this.place, name));
        }

        call(changes: boolean, name: string, given: unknown[]) {
            watch?.(name);
            const used = [this, ...given.filter((one) => one instanceof Descriptor)];
            if (changes && !used.every((one) => grants.get(one.grant))) throw "not-permitted";
            const byPath = name.endsWith("At") || name === "readDirectory";
            if (byPath && used.some((one) => one.identity !== identify(one.place))) throw "bad-descriptor";
            return coded(() => this.inner[name](...given.map((one) => (one instanceof Descriptor ? one.inner : one))));
        }

        lend<T>(name: string, others: Descriptor[], act: () => T): T {
            watch?.(name);
            if (!grants.get(this.grant)) throw "not-permitted";
            if ([this, ...others].some((one) => one.identity !== identify(one.place))) throw "bad-descriptor";
            return coded(act);
        }

        metadataHash() {
            return metadataHash(coded(() => statSync(this.place, { bigint: true })));
        }

        [Symbol.dispose]() {
            this.inner[Symbol.dispose]();
        }
    }
    const methods = Descriptor.prototype as unknown as Record<string, Call>;
    for (const name of [...READING, ...CHANGING]) {
        methods[name] = function (this: Descriptor, ...given) {
            const answer = this.call(CHANGING.includes(name), name, given);
            return name === "readDirectory" ? named(answer) : answer;
        };
    }
    // Its types are those for browsers, which require more.
    const preopened = (at: string) => createFilesystem({ preopens: { [at]: at } } as any).preopens.getDirectories();
    const getDirectories = () => [...grants.keys()].map((at) => [new Descriptor(preopened(at)[0]![0], at, at), at]);
    return { preopens: { getDirectories }, types: { ...types, Descriptor }, powers };
}

/** The identity of the file or directory at a path. */
function identify(place: string): string {
    const found = statSync(place, { bigint: true, throwIfNoEntry: false });
    return found ? `${found.dev}:${found.ino}` : "";
}

/** A stream of entries that fails at names that are not UTF-8. */
function named(stream: any) {
    const next = stream.readDirectoryEntry.bind(stream);
    stream.readDirectoryEntry = () => {
        const entry = coded(next);
        if (entry?.name.includes("\ufffd")) throw "illegal-byte-sequence";
        return entry;
    };
    return stream;
}

/** Throws codes of WASI only, as far as an error has one. */
function coded(call: Call) {
    try {
        return call();
    } catch (error) {
        throw typeof error === "string" ? error : types.filesystemErrorCode({ payload: error } as any);
    }
}
