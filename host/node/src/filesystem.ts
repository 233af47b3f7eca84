import { createFilesystem, types } from "@bytecodealliance/preview2-shim/filesystem";

type Call = (...given: any[]) => any;

/** Called before each call of the component on the filesystem, for traces and tests. */
export type Watch = (call: string) => void;

const READING = ["getType", "stat", "statAt", "read", "readDirectory", "readlinkAt", "sync"];
const CHANGING = ["write", "createDirectoryAt", "linkAt", "removeDirectoryAt", "renameAt", "symlinkAt", "unlinkFileAt"];

/**
 * The filesystem of preview2-shim with these directories, of which `writable` alone may be changed.
 *
 * The shim has no directories that are granted for reading alone; some of its errors are not codes
 * of WASI, which would stop the component; and Node shows a name that is not UTF-8 as another
 * name, so such a listing is refused. All three are mended here.
 */
export function filesystem(grants: Map<string, string>, writable: string | undefined, watch: Watch | undefined) {
    class Descriptor {
        constructor(
            readonly inner: any,
            readonly writable: boolean,
        ) {}

        openAt(path: any, name: string, how: any, access: any) {
            const changes = how.create || how.truncate || access.write;
            return new Descriptor(this.call(changes, "openAt", [path, name, how, access]), this.writable);
        }

        call(changes: boolean, name: string, given: unknown[]) {
            watch?.(name);
            const directories = given.filter((one) => one instanceof Descriptor);
            if (changes && ![this, ...directories].every((one) => one.writable)) throw "not-permitted";
            return coded(() => this.inner[name](...given.map((one) => (one instanceof Descriptor ? one.inner : one))));
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
    const shim = createFilesystem({ preopens: Object.fromEntries(grants) } as any);
    const directories = shim.preopens.getDirectories();
    const preopens = directories.map(([inner, name]: [any, string]) => [new Descriptor(inner, name === writable), name]);
    return { preopens: { getDirectories: () => preopens }, types: { ...types, Descriptor } };
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
