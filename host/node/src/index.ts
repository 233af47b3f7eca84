/**
 * Writes that are all or nothing, and copy-on-write over originals.
 *
 * What each call promises, and what it does not, is said item by item in the contract of the
 * component, `wit/onionskin.wit`. Paths are relative to the root, with `/` between the components.
 */

import { readlinkSync } from "node:fs";
import { join } from "node:path";

import type { Abilities } from "../gen/interfaces/onionskin-fs-capabilities.js";
import type * as wit from "../gen/interfaces/onionskin-fs-store.js";
import { OnionskinError } from "./error.js";
import type { Watch } from "./filesystem.js";
import type { Resource } from "./guest.js";
import { Guest, ROOT } from "./guest.js";
import { lock } from "./lock.js";

export * from "./error.js";
export type { Abilities } from "../gen/interfaces/onionskin-fs-capabilities.js";
export type {
    DirectoryOptions,
    Finding,
    Fingerprint,
    Receipt,
    WriteOptions,
} from "../gen/interfaces/onionskin-fs-store.js";

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

/** Opens a root, and finishes or undoes what a crash left. */
export async function openStore(root: string, { lower, token, watch }: OpenOptions = {}): Promise<Store> {
    const owner: wit.Ownership = token === undefined ? { tag: "host" } : { tag: "lock-file", val: token };
    const release = token === undefined ? await lock(root) : async () => {};
    try {
        return new Store(new Guest(root, lower, true, watch), owner, release);
    } catch (error) {
        await release();
        throw error;
    }
}

/** Tries what works at a root, and tells the strongest promise that can be kept there. */
export async function probe(root: string): Promise<Abilities> {
    const release = await lock(root);
    try {
        return new Guest(root).call(({ capabilities }) => capabilities.probe(ROOT));
    } finally {
        await release();
    }
}

/** What opening would find and do, without doing it: the root is granted for reading alone. */
export async function inspect(root: string): Promise<wit.Finding[]> {
    return new Guest(root, [], false).call(({ store }) => store.inspect(ROOT));
}

/** Takes a root from an owner that is known to be dead, whose lock file holds this token. */
export async function breakLock(root: string, expected: string): Promise<void> {
    new Guest(root).call(({ store }) => store.breakLock(ROOT, expected));
}

/** An open root. */
export class Store {
    readonly #guest: Guest;
    readonly #store: wit.Store;
    readonly #release: () => Promise<void>;

    /** Use `openStore`. */
    constructor(guest: Guest, owner: wit.Ownership, release: () => Promise<void>) {
        this.#guest = guest;
        this.#store = guest.keep(guest.call(({ store }) => store.Store.open(ROOT, { owner, trace: "off" })));
        this.#release = release;
    }

    /** Gives the root back. Writers and transactions that were not committed are dropped. */
    async close(): Promise<void> {
        try {
            this.#guest.close();
        } finally {
            await this.#release();
        }
    }

    [Symbol.asyncDispose](): Promise<void> {
        return this.close();
    }

    /** What opening found and did, in order. Empty when all was clean. */
    get recovered(): wit.Finding[] {
        return this.#guest.call(() => this.#store.recovered());
    }

    /** What a path looks like now, without following a link at its end. */
    fingerprint(path: string, depth: wit.Evidence = "metadata"): wit.Fingerprint {
        return this.#guest.call(() => this.#store.fingerprint(path, depth));
    }

    /** Gives a file new content, all or nothing. */
    replace(path: string, data: Uint8Array | string, how: Partial<wit.WriteOptions> = {}): wit.Receipt {
        const bytes = encoded(data);
        if (bytes.length <= PIECE_BYTES) {
            return this.#throughLinks(path, { ...WRITE, ...how }, (how) => this.#store.replace(path, bytes, how));
        }
        const writer = this.writer(path, how);
        try {
            writer.write(bytes);
            return writer.commit();
        } finally {
            writer.drop();
        }
    }

    /** As `replace`, for JSON: text that does not parse never touches the disk. */
    replaceJson(path: string, json: string, how: Partial<wit.WriteOptions> = {}): wit.Receipt {
        return this.#throughLinks(path, { ...WRITE, ...how }, (how) => this.#store.replaceJson(path, json, how));
    }

    /** As `replace`, for content of any size; `commit` publishes it. */
    writer(path: string, how: Partial<wit.WriteOptions> = {}): Writer {
        const begin = (how: wit.WriteOptions) => this.#store.writer(path, how);
        return new Writer(this.#guest, this.#throughLinks(path, { ...WRITE, ...how }, begin));
    }

    /** Makes a link, or a file with several hard links, a file or directory of its own. */
    materialize(path: string, how: MaterializeOptions = {}): wit.Receipt {
        const { source, content } = how;
        const origin: wit.Source = source ? { tag: "path", val: this.#guest.guestPath(source) } : { tag: "link-target" };
        const holds: wit.Content = content === undefined ? { tag: "keep" } : { tag: "replace", val: encoded(content) };
        try {
            return this.#guest.call(() => this.#store.materialize(path, origin, holds));
        } catch (error) {
            const link = this.#unreadableLink(path, error);
            if (link === undefined || source) throw error;
            if (link === path) return this.materialize(path, { source: join(this.#guest.root, path), content });
            this.materialize(link);
            return this.materialize(path, { content });
        }
    }

    /** Begins changes to a directory; `commit` publishes them. */
    transaction(directory: string, how: Partial<wit.DirectoryOptions> = {}): Transaction {
        const begin = (how: wit.DirectoryOptions) => this.#store.begin(directory, how);
        return new Transaction(this.#guest, this.#throughLinks(directory, { ...DIRECTORY, ...how }, begin));
    }

    /** Makes a call, and again once an absolute link on the way, which WASI hides, is no link any more. */
    #throughLinks<H extends { symlinks: wit.SymlinkPolicy }, T>(path: string, how: H, call: (how: H) => T): T {
        try {
            return this.#guest.call(() => call(how));
        } catch (error) {
            const link = this.#unreadableLink(path, error);
            if (link === undefined || how.symlinks !== "replace") throw error;
            this.materialize(link);
            return this.#throughLinks(path, how, call);
        }
    }

    /** The first link on the way to a path, but for those to generations, which the component reads. */
    #unreadableLink(path: string, error: unknown): string | undefined {
        if (!(error instanceof OnionskinError && error.kind === "link-unreadable")) return undefined;
        const parts = path.split("/");
        return parts.map((_, end) => parts.slice(0, end + 1).join("/")).find((prefix) => {
            try {
                return !readlinkSync(join(this.#guest.root, prefix)).includes(".onionskin/directories/");
            } catch {
                return false; // Not a link.
            }
        });
    }
}

/** A resource that is committed, or dropped. */
class Change<R extends Resource> {
    constructor(
        protected readonly guest: Guest,
        protected readonly resource: R,
    ) {
        guest.keep(resource);
    }

    /** Gives it up, and leaves nothing behind. Nothing happens where it was committed. */
    drop(): void {
        this.guest.drop(this.resource);
    }

    [Symbol.dispose](): void {
        this.drop();
    }
}

/** New content for one file, on its way. */
export class Writer extends Change<wit.Writer> {
    /** Appends. */
    write(chunk: Uint8Array | string): void {
        for (const piece of pieces(encoded(chunk))) this.guest.call(() => this.resource.write(piece));
    }

    /** Appends from a file in a granted directory, and tells how many bytes were there. */
    writeFrom(source: string, offset = 0n, length = 2n ** 64n - 1n): bigint {
        const origin = this.guest.guestPath(source);
        return this.guest.call(() => this.resource.writeFrom(origin, offset, length));
    }

    /** Decides and publishes. Errors before the decision leave nothing changed. */
    commit(): wit.Receipt {
        return this.guest.consume(this.resource, ({ store }, writer) => store.Writer.commit(writer));
    }
}

/** Changes to one directory that become visible together. Paths are relative to it. */
export class Transaction extends Change<wit.Transaction> {
    /** A file with this content. */
    put(path: string, data: Uint8Array | string): void {
        const [first = new Uint8Array(), ...rest] = pieces(encoded(data));
        this.guest.call(() => this.resource.put(path, first));
        for (const piece of rest) this.guest.call(() => this.resource.append(path, piece));
    }

    /** A file with the content of a file in a granted directory. */
    putFile(path: string, source: string): void {
        const origin = this.guest.guestPath(source);
        this.guest.call(() => this.resource.putFile(path, origin));
    }

    /** Appends to the file of the last `put` or `putFile`. */
    append(path: string, data: Uint8Array | string): void {
        for (const piece of pieces(encoded(data))) this.guest.call(() => this.resource.append(path, piece));
    }

    /** The file or link goes away. */
    remove(path: string): void {
        this.guest.call(() => this.resource.remove(path));
    }

    /** The file gets another name. */
    rename(old: string, name: string): void {
        this.guest.call(() => this.resource.rename(old, name));
    }

    /** Decides and publishes all changes. Errors before the decision leave nothing changed. */
    commit(): wit.Receipt {
        return this.guest.consume(this.resource, ({ store }, transaction) => store.Transaction.commit(transaction));
    }
}

function encoded(data: Uint8Array | string): Uint8Array {
    return typeof data === "string" ? new TextEncoder().encode(data) : data;
}

function pieces(bytes: Uint8Array): Uint8Array[] {
    const count = Math.ceil(bytes.length / PIECE_BYTES);
    return Array.from({ length: count }, (_, at) => bytes.subarray(at * PIECE_BYTES, (at + 1) * PIECE_BYTES));
}
