import { realpathSync } from "node:fs";

import type * as wit from "../gen/interfaces/onionskin-fs-workspace.js";
import { OnionskinError } from "./error.js";
import type { Watch } from "./filesystem.js";
import { encoded, extended, Guest } from "./guest.js";
import { lock, locked } from "./lock.js";

/** Names and changes that are asked for at once. */
const PAGE = 4096;
/** Bytes that are read at once. */
const PIECE_BYTES = 1 << 20;

/** How to open a workspace. */
export interface WorkspaceOptions {
    /** The directories it is over, the topmost first. It remembers them, and refuses others. */
    lower?: string[];
    /** Takes the lowers as they are: they were moved, or come from a backup. */
    moved?: boolean;
    /** How much it may hold. */
    quota?: wit.Quota;
    /** Called before each call of the component on the filesystem, for traces and tests. */
    watch?: Watch;
}

/** Globs; a glob that matches a directory matches all below it. */
export type Choice = Partial<wit.Select>;
/** An open workspace. */
export type Workspace = Awaited<ReturnType<typeof openWorkspace>>;

/**
 * Opens the workspace in `upper`, and finishes or removes what a crash left. Where there is none, one
 * is made over `lower`.
 */
export async function openWorkspace(upper: string, { lower = [], moved, quota = {}, watch }: WorkspaceOptions = {}) {
    const release = await lock(upper);
    try {
        const at = realpathSync(upper);
        const kept = lower.length > 0 ? undefined : remembered(at);
        const how: wit.Options = {
            upper: at,
            lowers: kept ?? lower.map((directory) => realpathSync(directory)),
            owner: { tag: "host" },
            quota,
            moved: moved ? "accept" : "refuse",
        };
        return await opened(how, kept !== undefined, release, watch);
    } catch (error) {
        await release();
        throw error;
    }
}

function remembered(upper: string): string[] {
    return new Guest([], [upper]).call(({ workspace }) => workspace.describe(upper));
}

async function opened(how: wit.Options, isKnown: boolean, release: () => Promise<void>, watch?: Watch) {
    let guest: Guest;
    let workspace: wit.Workspace;
    let isThere = isKnown;
    let isStale = false;

    /** Begins an instance of the component that may write these, too. */
    function begin(...writable: string[]): void {
        guest?.close();
        guest = new Guest([how.upper, ...writable], how.lowers, watch);
        workspace = guest.keep(
            guest.call(({ workspace: { Workspace } }) => {
                try {
                    return Workspace.open(how);
                } catch (error) {
                    if ((error as { kind?: string }).kind !== "not-found" || isThere) throw error;
                    return Workspace.create(how);
                }
            }),
        );
        [isThere, isStale] = [true, false];
    }

    /** The instance, or a new one after a call with grants of its own. */
    function current(): Guest {
        if (isStale) begin();
        return guest;
    }

    const call = <T>(use: () => T): T => current().call(use);

    /** Makes a call with one more directory, which is granted for writing and locked for as long as that takes. */
    function writing<T>(directory: string, use: (place: string) => T): Promise<T> {
        return locked(directory, () => {
            begin(realpathSync(directory));
            try {
                return call(() => use(realpathSync(directory)));
            } finally {
                guest.close();
                isStale = true;
            }
        });
    }

    try {
        begin();
    } catch (error) {
        if (!(error instanceof OnionskinError && error.kind === "read-only")) throw error;
        // A commit is to be finished: for that alone the topmost lower is granted for writing.
        await locked(how.lowers[0]!, () => begin(how.lowers[0]!));
    }
    const findings = guest!.call(() => workspace.recovered());
    isStale = findings.length > 0; // A lower that is granted for writing is so no longer.

    /** Gives the upper directory back, with all that was done kept. What was not synced may be lost with the power. */
    async function close(): Promise<void> {
        isStale = false;
        try {
            guest.close();
        } finally {
            await release();
        }
    }

    const select = ({ only = [], except = [] }: Choice): wit.Select => ({ only, except });
    return extended(current, () => workspace, {
        close,
        [Symbol.asyncDispose]: close,
        /** What opening found and did, in order. Empty when all was clean. */
        recovered: () => findings,
        /** All of a file. */
        readFile(path: string): Uint8Array {
            const pieces: Uint8Array[] = [];
            for (let at = 0n; ; at += BigInt(PIECE_BYTES)) {
                const piece = call(() => workspace.read(path, at, PIECE_BYTES));
                pieces.push(piece);
                if (piece.length < PIECE_BYTES) return Buffer.concat(pieces);
            }
        },
        /** Writes at an offset; a file that is not there is made, and a gap reads as zeros. */
        write(path: string, offset: bigint, data: Uint8Array | string): void {
            call(() => workspace.write(path, offset, encoded(data)));
        },
        /** Writes at the end; returns the offset of the first byte. */
        append: (path: string, data: Uint8Array | string) => call(() => workspace.append(path, encoded(data))),
        /** Gives a file other content, all of it, all or nothing; one that is not there is made. */
        put: (path: string, data: Uint8Array | string) => call(() => workspace.put(path, encoded(data))),
        /** What is in a directory, sorted by name. */
        *list(path = "."): Generator<wit.Entry> {
            for (let after: string | undefined; ; ) {
                const page = call(() => workspace.list(path, after, PAGE));
                if (page.length === 0) return;
                yield* page;
                after = page.at(-1)!.name;
            }
        },
        /** What was changed, of the chosen paths: deletions first. */
        *changes(choice: Choice = {}): Generator<wit.Change> {
            let after: string | undefined;
            do {
                const page = call(() => workspace.changes(select(choice), after, PAGE));
                yield* page.changes;
                after = page.next;
            } while (after !== undefined);
        },
        /** The chosen paths of the lowers that are not as they were when they were first touched. */
        conflicts: (choice: Choice = {}) => call(() => workspace.conflicts(select(choice))),
        /** Writes changes to the topmost lower, all or nothing. The workspace goes on from there. */
        commit(choice: Choice & Partial<Omit<wit.CommitOptions, "into" | "paths">> = {}): Promise<wit.Receipt> {
            const { only, except, durability = "full", conflicts = "fail" } = choice;
            return writing(how.lowers[0]!, (into) => {
                const receipt = workspace.commit({ into, paths: select({ only, except }), durability, conflicts });
                workspace.sync(); // Gives back what is not needed any more.
                return receipt;
            });
        },
        /** Writes all that is shown to an empty directory, all or nothing. */
        exportTo(to: string, durability: wit.Durability = "full"): Promise<wit.Receipt> {
            return writing(to, (place) => workspace.exportTo(place, durability));
        },
        /** Makes a second workspace from the present state, in an empty directory. */
        fork(upper: string): Promise<void> {
            return writing(upper, (place) => void guest.keep(workspace.fork({ ...how, upper: place })));
        },
        /** Gives up all that was written, and the workspace with it. */
        async discard(): Promise<void> {
            current().consume(workspace, ({ workspace: { Workspace } }, it) => Workspace.discard(it));
            await close();
        },
    });
}
