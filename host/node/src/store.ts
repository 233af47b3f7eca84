import { lstatSync, readlinkSync, realpathSync } from "node:fs";
import { join } from "node:path";

import type { Abilities } from "../gen/interfaces/onionskin-fs-capabilities.js";
import type * as wit from "../gen/interfaces/onionskin-fs-store.js";
import { type Data, DIRECTORY_OPTIONS, encoded, holding, type Instance, OnionskinError, pieces } from "./bindings.js";
import { StoreCalls, TransactionCalls, WRITE_OPTIONS, WriterCalls } from "./bindings.js";
import type { Watch } from "./wasi/filesystem.js";
import { guest } from "./guest.js";
import { lock, locked } from "./wasi/lock.js";

/** Options of an open root. */
export interface StoreOptions {
    /** Directories that may be read, for links that lead there. */
    lower?: string[];
    /** Excludes a second owner by a lock file with this token, and not by a lock of the operating system. */
    token?: string;
    /** The seconds to wait for the lock of the operating system, if another owner holds it; the call blocks. */
    wait?: number;
    /** Called before each call of the component on the filesystem, for traces and tests. */
    watch?: Watch;
}

/** The content of a materialized path: by default that of the link's target. */
export interface MaterializeOptions {
    /** A path in a granted directory, to be read instead of the link's target. */
    source?: string;
    /** New content. */
    content?: Data;
}

/** Tests the abilities of a root, and returns the strongest promise that can be kept there. */
export function probe(root: string): Abilities {
    return locked(root, () => guest([root]).call(({ capabilities }) => capabilities.probe(realpathSync(root))));
}

/** Returns the findings of an open without changing anything: the root is granted for reading only. */
export function inspect(root: string): wit.Finding[] {
    return guest([], [root]).call(({ store }) => store.inspect(realpathSync(root)));
}

/** Takes a root over from an owner that is known to be dead, by the token in its lock file. */
export function breakLock(root: string, expected: string): void {
    guest([root]).call(({ store }) => store.breakLock(realpathSync(root), expected));
}

/** Opens a root, and completes or undoes interrupted changes. */
export function openStore(root: string, { lower, token, wait, watch }: StoreOptions = {}): Store {
    return holding(token === undefined ? lock(root, wait) : () => {}, (release) => {
        const instance = guest([root], lower, watch);
        const owner: wit.Ownership = token === undefined ? { tag: "host" } : { tag: "lock-file", val: token };
        const place = realpathSync(root);
        const store = instance.call(({ store: { Store } }) => Store.open(place, { owner, trace: "off" }));
        return new Store(instance, store, release, place);
    });
}

/** An open root. */
export class Store extends StoreCalls {
    /** @internal */
    constructor(instance: Instance, store: wit.Store, release: () => void, private root: string) {
        super(instance, store, release);
    }

    /** Replaces the content of a file atomically, at any size. */
    override replace(path: string, data: Data, how: Partial<wit.WriteOptions> = {}): wit.Receipt {
        if (pieces(data).length <= 1) return super.replace(path, data, how);
        using writer = this.writer(path, how);
        writer.write(data);
        return writer.commit();
    }

    /** As `replace`; `commit` publishes it. */
    writer(path: string, how: Partial<wit.WriteOptions> = {}): Writer {
        return new Writer(this.guest, this.call("writer", path, { ...WRITE_OPTIONS, ...how }));
    }

    /** Begins changes to a directory; `commit` publishes them. */
    transaction(directory: string, how: Partial<wit.DirectoryOptions> = {}): Transaction {
        return new Transaction(this.guest, this.call("begin", directory, { ...DIRECTORY_OPTIONS, ...how }));
    }

    /** Turns a link, or a file with several hard links, into an independent file or directory. */
    materialize(path: string, { source, content }: MaterializeOptions = {}): wit.Receipt {
        const origin: wit.Source = source ? { tag: "path", val: this.guest.granted(source) } : { tag: "link-target" };
        const holds: wit.Content = content === undefined ? { tag: "keep" } : { tag: "replace", val: encoded(content) };
        return this.call("materialize", path, origin, holds);
    }

    /** Makes a call, and repeats it after each absolute link among the parents, which WASI hides, was materialized. */
    protected override call(name: string, path?: any, ...given: any[]): any {
        try {
            return super.call(name, path, ...given);
        } catch (error) {
            const link = this.#unreadableLink(path, error);
            if (link === undefined) throw error;
            const isOver = name === "materialize" ? given[0].tag === "path" : given.at(-1).symlinks !== "replace";
            if (isOver) throw error;
            if (name !== "materialize" || link !== path) this.materialize(link);
            else given[0] = { tag: "path", val: this.guest.granted(join(this.root, path)) };
            return this.call(name, path, ...given);
        }
    }

    /** Returns the first link among the parents of a path, except those to generations, which the component reads. */
    #unreadableLink(path: string, error: unknown): string | undefined {
        if (!(error instanceof OnionskinError && error.kind === "link-unreadable")) return undefined;
        const parts = path.split("/");
        return parts.map((_, end) => parts.slice(0, end + 1).join("/")).find((prefix) => {
            const place = join(this.root, prefix);
            const isLink = lstatSync(place, { throwIfNoEntry: false })?.isSymbolicLink();
            return isLink && !readlinkSync(place).includes(".onionskin/directories/");
        });
    }
}

/** New content for one file, in progress. */
export class Writer extends WriterCalls {}

/** Changes to one directory that become visible together. Paths are relative to it. */
export class Transaction extends TransactionCalls {
    /** Puts a file with this content, of any size. */
    override put(path: string, data: Data): void {
        const [first = "", ...rest] = pieces(data);
        super.put(path, first);
        for (const piece of rest) this.append(path, piece);
    }
}
