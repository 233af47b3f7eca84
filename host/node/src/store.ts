import { readlinkSync, realpathSync } from "node:fs";
import { join } from "node:path";

import type { Abilities } from "../gen/interfaces/onionskin-fs-capabilities.js";
import type * as wit from "../gen/interfaces/onionskin-fs-store.js";
import { OnionskinError } from "./error.js";
import type { Watch } from "./filesystem.js";
import { encoded, extended, Guest } from "./guest.js";
import { lock, locked } from "./lock.js";

/** Bytes that are given to the component at once. */
const PIECE_BYTES = 4 << 20;
const WRITE: wit.WriteOptions = { durability: "full", symlinks: "replace", when: { tag: "none" }, same: "rewrite" };
const DIRECTORY: wit.DirectoryOptions = { publish: "in-place", durability: "full", symlinks: "replace" };

/** How to open a root. */
export interface OpenOptions {
    /** Directories that may be read, for links that lead there. */
    lower?: string[];
    /** Keeps a second owner out by a lock file that holds this, and not by a lock of the operating system. */
    token?: string;
    /** Called before each call of the component on the filesystem, for traces and tests. */
    watch?: Watch;
}

/** What a materialized path holds: what the link shows, unless it is said. */
export interface MaterializeOptions {
    /** A place in a granted directory, to be read in place of where the link leads. */
    source?: string;
    /** Content of its own. */
    content?: Uint8Array | string;
}

/** An open root. */
export type Store = Awaited<ReturnType<typeof openStore>>;
/** New content for one file, on its way. */
export type Writer = ReturnType<Store["writer"]>;
/** Changes to one directory that become visible together. Paths are relative to it. */
export type Transaction = ReturnType<Store["transaction"]>;

/** Tries what works at a root, and tells the strongest promise that can be kept there. */
export function probe(root: string): Promise<Abilities> {
    return locked(root, () => new Guest([root]).call(({ capabilities }) => capabilities.probe(realpathSync(root))));
}

/** What opening would find and do, without doing it: the root is granted for reading alone. */
export async function inspect(root: string): Promise<wit.Finding[]> {
    return new Guest([], [root]).call(({ store }) => store.inspect(realpathSync(root)));
}

/** Takes a root from an owner that is known to be dead, whose lock file holds this token. */
export async function breakLock(root: string, expected: string): Promise<void> {
    new Guest([root]).call(({ store }) => store.breakLock(realpathSync(root), expected));
}

/** Opens a root, and finishes or undoes what a crash left. */
export async function openStore(root: string, { lower, token, watch }: OpenOptions = {}) {
    const owner: wit.Ownership = token === undefined ? { tag: "host" } : { tag: "lock-file", val: token };
    const release = token === undefined ? await lock(root) : async () => {};
    try {
        const guest = new Guest([root], lower, watch);
        const how: wit.OpenOptions = { owner, trace: "off" };
        const store = guest.keep(guest.call(({ store }) => store.Store.open(realpathSync(root), how)));
        return opened(realpathSync(root), guest, store, release);
    } catch (error) {
        await release();
        throw error;
    }
}

function opened(root: string, guest: Guest, store: wit.Store, release: () => Promise<void>) {
    /** Makes a call, and again once an absolute link on the way, which WASI hides, is no link any more. */
    function throughLinks<H extends { symlinks: wit.SymlinkPolicy }, T>(path: string, how: H, call: (how: H) => T): T {
        try {
            return guest.call(() => call(how));
        } catch (error) {
            const link = unreadableLink(path, error);
            if (link === undefined || how.symlinks !== "replace") throw error;
            materialize(link);
            return throughLinks(path, how, call);
        }
    }

    /** The first link on the way to a path, but for those to generations, which the component reads. */
    function unreadableLink(path: string, error: unknown): string | undefined {
        if (!(error instanceof OnionskinError && error.kind === "link-unreadable")) return undefined;
        const parts = path.split("/");
        return parts.map((_, end) => parts.slice(0, end + 1).join("/")).find((prefix) => {
            try {
                return !readlinkSync(join(root, prefix)).includes(".onionskin/directories/");
            } catch {
                return false; // Not a link.
            }
        });
    }

    function materialize(path: string, how: MaterializeOptions = {}): wit.Receipt {
        const { source, content } = how;
        const origin: wit.Source = source ? { tag: "path", val: guest.granted(source) } : { tag: "link-target" };
        const holds: wit.Content = content === undefined ? { tag: "keep" } : { tag: "replace", val: encoded(content) };
        try {
            return guest.call(() => store.materialize(path, origin, holds));
        } catch (error) {
            const link = unreadableLink(path, error);
            if (link === undefined || source) throw error;
            if (link === path) return materialize(path, { source: join(root, path), content });
            materialize(link);
            return materialize(path, { content });
        }
    }

    function writer(path: string, how: Partial<wit.WriteOptions> = {}) {
        const begun = guest.keep(throughLinks(path, { ...WRITE, ...how }, (how) => store.writer(path, how)));
        return extended(() => guest, () => begun, {
            /** Appends. */
            write(chunk: Uint8Array | string): void {
                for (const piece of pieces(encoded(chunk))) guest.call(() => begun.write(piece));
            },
            /** Appends from a file in a granted directory, and tells how many bytes were there. */
            writeFrom(source: string, offset = 0n, length = 2n ** 64n - 1n): bigint {
                const origin = guest.granted(source);
                return guest.call(() => begun.writeFrom(origin, offset, length));
            },
            /** Decides and publishes. Errors before the decision leave nothing changed. */
            commit: (): wit.Receipt => guest.consume(begun, ({ store }, it) => store.Writer.commit(it)),
            ...droppable(begun),
        });
    }

    /** Both give it up, and leave nothing behind. Nothing happens where it was committed. */
    const droppable = (resource: object) => ({
        drop: (): void => guest.drop(resource),
        [Symbol.dispose]: (): void => guest.drop(resource),
    });

    /** Gives the root back. Writers and transactions that were not committed are dropped. */
    async function close(): Promise<void> {
        try {
            guest.close();
        } finally {
            await release();
        }
    }

    return extended(() => guest, () => store, {
        close,
        [Symbol.asyncDispose]: close,
        /** Makes a link, or a file with several hard links, a file or directory of its own. */
        materialize,
        /** As `replace`, for content of any size; `commit` publishes it. */
        writer,
        /** What a path looks like now, without following a link at its end. */
        fingerprint(path: string, depth: wit.Evidence = "metadata"): wit.Fingerprint {
            return guest.call(() => store.fingerprint(path, depth));
        },
        /** Gives a file new content, all or nothing. */
        replace(path: string, data: Uint8Array | string, how: Partial<wit.WriteOptions> = {}): wit.Receipt {
            const bytes = encoded(data);
            if (bytes.length <= PIECE_BYTES) {
                return throughLinks(path, { ...WRITE, ...how }, (how) => store.replace(path, bytes, how));
            }
            const whole = writer(path, how);
            try {
                whole.write(bytes);
                return whole.commit();
            } finally {
                whole.drop();
            }
        },
        /** As `replace`, for JSON: text that does not parse never touches the disk. */
        replaceJson(path: string, json: string, how: Partial<wit.WriteOptions> = {}): wit.Receipt {
            return throughLinks(path, { ...WRITE, ...how }, (how) => store.replaceJson(path, json, how));
        },
        /** Begins changes to a directory; `commit` publishes them. */
        transaction(directory: string, how: Partial<wit.DirectoryOptions> = {}) {
            const begin = (how: wit.DirectoryOptions) => store.begin(directory, how);
            const begun = guest.keep(throughLinks(directory, { ...DIRECTORY, ...how }, begin));
            return extended(() => guest, () => begun, {
                /** A file with this content. */
                put(path: string, data: Uint8Array | string): void {
                    const [first = new Uint8Array(), ...rest] = pieces(encoded(data));
                    guest.call(() => begun.put(path, first));
                    for (const piece of rest) guest.call(() => begun.append(path, piece));
                },
                /** A file with the content of a file in a granted directory. */
                putFile(path: string, source: string): void {
                    const origin = guest.granted(source);
                    guest.call(() => begun.putFile(path, origin));
                },
                /** Appends to the file of the last `put` or `putFile`. */
                append(path: string, data: Uint8Array | string): void {
                    for (const piece of pieces(encoded(data))) guest.call(() => begun.append(path, piece));
                },
                /** Decides and publishes all changes. Errors before the decision leave nothing changed. */
                commit: (): wit.Receipt => guest.consume(begun, ({ store }, it) => store.Transaction.commit(it)),
                ...droppable(begun),
            });
        },
    });
}

function pieces(bytes: Uint8Array): Uint8Array[] {
    const count = Math.ceil(bytes.length / PIECE_BYTES);
    return Array.from({ length: count }, (_, at) => bytes.subarray(at * PIECE_BYTES, (at + 1) * PIECE_BYTES));
}
