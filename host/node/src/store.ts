import { lstatSync, readlinkSync, realpathSync } from "node:fs";
import { join } from "node:path";

import type { Abilities } from "../gen/interfaces/onionskin-fs-capabilities.js";
import type * as wit from "../gen/interfaces/onionskin-fs-store.js";
import { type Data, DIRECTORY_OPTIONS, encoded, holding, type Instance, OnionskinError, pieces } from "./bindings.js";
import { StoreCalls, TransactionCalls, WRITE_OPTIONS, WriterCalls } from "./bindings.js";
import type { Watch } from "./wasi/filesystem.js";
import { guest } from "./guest.js";
import { lock, locked } from "./wasi/lock.js";

/** How to open a root. */
export interface StoreOptions {
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
    content?: Data;
}

/** Tries what works at a root, and tells the strongest promise that can be kept there. */
export function probe(root: string): Abilities {
    return locked(root, () => guest([root]).call(({ capabilities }) => capabilities.probe(realpathSync(root))));
}

/** What opening would find and do, without doing it: the root is granted for reading alone. */
export function inspect(root: string): wit.Finding[] {
    return guest([], [root]).call(({ store }) => store.inspect(realpathSync(root)));
}

/** Takes a root from an owner that is known to be dead, whose lock file holds this token. */
export function breakLock(root: string, expected: string): void {
    guest([root]).call(({ store }) => store.breakLock(realpathSync(root), expected));
}

/** Opens a root, and finishes or undoes what a crash left. */
export function openStore(root: string, { lower, token, watch }: StoreOptions = {}): Store {
    return holding(token === undefined ? lock(root) : () => {}, (release) => {
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

    /** Gives a file new content of any size, all or nothing. */
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

    /** Makes a link, or a file with several hard links, a file or directory of its own. */
    materialize(path: string, { source, content }: MaterializeOptions = {}): wit.Receipt {
        const origin: wit.Source = source ? { tag: "path", val: this.guest.granted(source) } : { tag: "link-target" };
        const holds: wit.Content = content === undefined ? { tag: "keep" } : { tag: "replace", val: encoded(content) };
        return this.call("materialize", path, origin, holds);
    }

    /** Makes a call, and again once an absolute link on the way, which WASI hides, is no link any more. */
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

    /** The first link on the way to a path, but for those to generations, which the component reads. */
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

/** New content for one file, on its way. */
export class Writer extends WriterCalls {}

/** Changes to one directory that become visible together. Paths are relative to it. */
export class Transaction extends TransactionCalls {
    /** A file with this content, of any size. */
    override put(path: string, data: Data): void {
        const [first = "", ...rest] = pieces(data);
        super.put(path, first);
        for (const piece of rest) this.append(path, piece);
    }
}
