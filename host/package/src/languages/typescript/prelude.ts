type Kind = types.ErrorKind | "stopped";

/** A failed call. The contract describes each kind, and the state that it leaves behind. */
export class OnionskinError extends Error {
    override readonly name = "OnionskinError";

    constructor(
        /** One of the contract, or `stopped`: as if the process had died inside the call. */
        readonly kind: Kind,
        message: string,
        /** The subject: mostly a path relative to the root. */
        readonly subject = "",
        /** The cause that the filesystem reported, for people and logs; or the event that stopped the component. */
        override readonly cause?: unknown,
    ) {
        super(message);
    }
}

/** Content; text is written as UTF-8. */
export type Data = Uint8Array | string;

export function encoded(data: Data): Uint8Array {
    return typeof data === "string" ? new TextEncoder().encode(data) : data;
}

/** The number of names or changes in one call. */
const PAGE = 4096;

/** The number of bytes in one call. */
const PIECE_BYTES = 4 << 20;

/** Splits content into parts for single calls. */
export function pieces(data: Data): Uint8Array[] {
    const bytes = encoded(data);
    const count = Math.ceil(bytes.length / PIECE_BYTES);
    return Array.from({ length: count }, (_, at) => bytes.subarray(at * PIECE_BYTES, (at + 1) * PIECE_BYTES));
}

/** Makes an object that releases a lock when it is closed; if that fails, the lock is released at once. */
export function holding<T>(release: () => void, make: (release: () => void) => T): T {
    try {
        return make(release);
    } catch (error) {
        release();
        throw error;
    }
}

type Disposable = object & { [Symbol.dispose]?: () => void };

/** An instance of the component, in which each directory is named by its path. */
export class Instance {
    readonly #exports: Exports;
    readonly #resources = new Set<Disposable>();
    /** Whether it accepts no further calls. */
    stopped = false;

    constructor(
        exports: Exports,
        /** The directories that are granted at present, and whether each may be changed. */
        readonly grants: Map<string, boolean>,
    ) {
        this.#exports = exports;
    }

    /** Makes a call; an error of the contract is thrown as an `OnionskinError`. */
    call<T>(use: (exports: Exports) => T): T {
        if (this.stopped) throw stopped("it is closed, or was stopped before");
        try {
            const answer = use(this.#exports);
            const isResource = typeof answer === "object" && answer !== null && Symbol.dispose in answer;
            if (isResource) this.#resources.add(answer as Disposable);
            return answer;
        } catch (thrown) {
            if (thrown instanceof OnionskinError) throw thrown;
            const error = thrown as Partial<types.Error>; // As jco throws it: no instance of `Error`.
            if (error.kind && error.message) {
                throw new OnionskinError(error.kind, error.message, error.subject, error.cause);
            }
            this.stopped = true;
            throw stopped(`the component was stopped by ${thrown}`, thrown);
        }
    }

    /** Makes a call that consumes a resource, even when it fails. */
    consume<T extends Disposable, A>(resource: T, use: (exports: Exports, resource: T) => A): A {
        if (!this.#resources.delete(resource)) {
            throw new OnionskinError("invalid-argument", "it was committed or dropped: begin again");
        }
        return this.call((exports) => use(exports, resource));
    }

    /** Drops a resource, unless it was dropped before. */
    drop(resource: Disposable): void {
        if (this.#resources.delete(resource) && !this.stopped) this.call(() => resource[Symbol.dispose]?.());
    }

    /** Drops the remaining resources, the newest first and the store last. */
    close(): void {
        for (const resource of [...this.#resources].reverse()) this.drop(resource);
        this.stopped = true;
    }

    /** Runs a function with one more directory, which may be changed in the meantime. */
    granting<T>(directory: string, act: (place: string) => T): T {
        const place = realpathSync(directory);
        const before = this.grants.get(place);
        this.grants.set(place, true);
        try {
            return act(place);
        } finally {
            if (before === undefined) this.grants.delete(place);
            else this.grants.set(place, before);
        }
    }

    /** Returns the component's name of the target of a path on the host. */
    granted(host: string): string {
        const place = realpathSync(host);
        if ([...this.grants.keys()].some((granted) => (place + sep).startsWith(granted + sep))) return place;
        const message = `${host}: leads to ${place}, which was not granted: pass it as lower`;
        throw new OnionskinError("symlink-escapes", message, host);
    }
}

/** A resource of the component, and its calls. */
export abstract class Resource {
    /** Its interface and its name. */
    protected abstract readonly of: readonly ["store" | "workspace", string];

    constructor(
        protected guest: Instance,
        protected resource: Disposable,
    ) {}

    protected call(name: string, ...given: unknown[]): any {
        return this.guest.call(() => (this.resource as any)[name](...given));
    }

    protected consume(name: string): any {
        const [interface_, of] = this.of;
        return this.guest.consume(this.resource, (exports, it) => (exports[interface_] as any)[of][name](it));
    }

    /** Iterates over pages, each in a field beside the start of the next, or else after the last name. */
    protected *pages(name: string, field: string | undefined, ...given: unknown[]): Generator<any> {
        for (let after: string | undefined; ; ) {
            const page = this.call(name, ...given, after, PAGE);
            const items = field === undefined ? page : page[field];
            yield* items;
            after = field === undefined ? items.at(-1)?.name : page.next;
            if (after === undefined) return;
        }
    }
}

/** An open resource. The end of a `using` block closes it. */
export abstract class Root extends Resource {
    readonly #release: () => void;

    constructor(guest: Instance, resource: Disposable, release: () => void) {
        super(guest, resource);
        this.#release = release;
    }

    /** Closes it. Writers and transactions that were not committed are dropped. */
    close(): void {
        try {
            this.guest.close();
        } finally {
            this.#release();
        }
    }

    [Symbol.dispose](): void {
        this.close();
    }
}

/** A change that the end of a `using` block drops, unless it was committed. */
export abstract class Uncommitted extends Resource {
    /** Drops it, and leaves nothing behind. */
    drop(): void {
        this.guest.drop(this.resource);
    }

    [Symbol.dispose](): void {
        this.drop();
    }
}

function stopped(what: string, cause?: unknown): OnionskinError {
    return new OnionskinError("stopped", `${what}: open it again`, "", cause);
}
