import { statSync } from "node:fs";
import { join } from "node:path";

import { createFilesystem, types } from "@bytecodealliance/preview2-shim/filesystem";

import { metadataHash } from "./identity.js";

type Call = (...given: any[]) => any;

/** Called before each call of the component on the filesystem, for traces and tests. */
export type Watch = (call: string) => void;

const READING = ["getType", "stat", "statAt", "read", "readDirectory", "readlinkAt", "sync"];
const REMOVING = ["removeDirectoryAt", "unlinkFileAt"];
const CHANGING = ["write", "setSize", "createDirectoryAt", "linkAt", "renameAt", "symlinkAt", ...REMOVING];

/**
 * The filesystem of preview2-shim with the directories that are granted at the moment of a call, under
 * their places; whether each may be changed.
 *
 * Mended here: the shim has no directories that are granted for reading alone. Some of its errors
 * are not codes of WASI, which would stop the component. It finds a directory again by its path in
 * every call, so one that is another one by now is refused. And Node shows a name that is not UTF-8
 * as another name, so it is refused as WASI has it. What it tells a directory by changes with its content.
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
    // Its types are those for browsers, which ask for more.
    const preopened = (at: string) => createFilesystem({ preopens: { [at]: at } } as any).preopens.getDirectories();
    const getDirectories = () => [...grants.keys()].map((at) => [new Descriptor(preopened(at)[0]![0], at, at), at]);
    return { preopens: { getDirectories }, types: { ...types, Descriptor } };
}

/** Which file or directory stands at a place. */
function identify(place: string): string {
    const found = statSync(place, { bigint: true, throwIfNoEntry: false });
    return found ? `${found.dev}:${found.ino}` : "";
}

/** A stream of entries that knows when it cannot tell a name. */
function named(stream: any) {
    const next = stream.readDirectoryEntry.bind(stream);
    stream.readDirectoryEntry = () => {
        const entry = coded(next);
        if (entry?.name.includes("\ufffd")) throw "illegal-byte-sequence";
        return entry;
    };
    return stream;
}

/** Throws codes of WASI alone, as far as an error has one. */
function coded(call: Call) {
    try {
        return call();
    } catch (error) {
        throw typeof error === "string" ? error : types.filesystemErrorCode({ payload: error } as any);
    }
}
