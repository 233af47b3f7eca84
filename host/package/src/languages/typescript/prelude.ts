type Kind = types.ErrorKind | "stopped";

/** A failed call. What each kind means, and what it leaves behind, is described in the contract. */
export class OnionskinError extends Error {
    override readonly name = "OnionskinError";

    constructor(
        /** One of the contract, or `stopped`: as if the process had died inside the call. */
        readonly kind: Kind,
        message: string,
        /** What it is about: mostly a path relative to the root. */
        readonly subject = "",
        /** What the filesystem said, for people and logs; or what stopped the component. */
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

/** Names and changes that are asked for at once. */
const PAGE = 4096;

/** Bytes that are passed at once. */
const PIECE_BYTES = 4 << 20;

/** Content in parts that can be passed at once. */
export function pieces(data: Data): Uint8Array[] {
    const bytes = encoded(data);
    const count = Math.ceil(bytes.length / PIECE_BYTES);
    return Array.from({ length: count }, (_, at) => bytes.subarray(at * PIECE_BYTES, (at + 1) * PIECE_BYTES));
}

/** Makes what releases a lock when it is closed; the lock is released at once where that fails. */
export function holding<T>(release: () => void, make: (release: () => void) => T): T {
    try {
        return make(release);
    } catch (error) {
        release();
        throw error;
    }
}

type Disposable = object & { [Symbol.dispose]?: () => void };

/** The component, instantiated, where each directory has the name of its place. */
export class Instance {
    readonly #exports: Exports;
    readonly #resources = new Set<Disposable>();
    /** Whether it takes no calls any more. */
    stopped = false;

    constructor(
        exports: Exports,
        /** The directories that it may see at the moment; whether it may change them. */
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

    /** Makes a call that takes a resource for good, also when it fails. */
    consume<T extends Disposable, A>(resource: T, use: (exports: Exports, resource: T) => A): A {
        if (!this.#resources.delete(resource)) {
            throw new OnionskinError("invalid-argument", "it was committed or dropped: begin again");
        }
        return this.call((exports) => use(exports, resource));
    }

    /** Drops a resource, unless that is done. */
    drop(resource: Disposable): void {
        if (this.#resources.delete(resource) && !this.stopped) this.call(() => resource[Symbol.dispose]?.());
    }

    /** Drops what is left, the youngest first: the store itself is the last. */
    close(): void {
        for (const resource of [...this.#resources].reverse()) this.drop(resource);
        this.stopped = true;
    }

    /** Does something with one more directory, which may be changed for as long as that takes. */
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

    /** The name in the component of what a place on the host leads to. */
    granted(host: string): string {
        const place = realpathSync(host);
        if ([...this.grants.keys()].some((granted) => (place + sep).startsWith(granted + sep))) return place;
        const message = `${host}: leads to ${place}, which was not granted: pass it as lower`;
        throw new OnionskinError("symlink-escapes", message, host);
    }
}

/** Something that the component gave out, and calls on it. */
export abstract class Resource {
    /** The interface and the name of it. */
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

    /** What a call tells page by page: in a field beside where the next begins, or else after the last name. */
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

/** What was opened. The end of a `using` block closes it. */
export abstract class Root extends Resource {
    readonly #release: () => void;

    constructor(guest: Instance, resource: Disposable, release: () => void) {
        super(guest, resource);
        this.#release = release;
    }

    /** Gives it back. Writers and transactions that were not committed are dropped. */
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

/** What the end of a `using` block drops, unless it was committed. */
export abstract class Uncommitted extends Resource {
    /** Gives it up, and leaves nothing behind. */
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
