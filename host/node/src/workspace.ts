import { realpathSync } from "node:fs";

import type * as wit from "../gen/interfaces/onionskin-fs-workspace.js";
import { holding, type Instance, type OnionskinError, SELECT, WorkspaceCalls } from "./bindings.js";
import { guest, writing } from "./guest.js";
import type { Watch } from "./wasi/filesystem.js";
import { lock, locked } from "./wasi/lock.js";

/** The number of bytes in one read. */
const PIECE_BYTES = 1 << 20;

/** Options of an open workspace. */
export interface WorkspaceOptions {
    /** Its lower directories, the topmost first. It remembers them, and refuses others. */
    lower?: string[];
    /** Accepts the lowers as they are: they were moved, or come from a backup. */
    moved?: boolean;
    /** Its limits. */
    quota?: wit.Quota;
    /** The seconds to wait for each lock that another owner holds: on `upper`, and on a directory that a call writes. */
    wait?: number;
    /** Called before each call of the component on the filesystem, for traces and tests. */
    watch?: Watch;
}

/** Globs; one that matches a directory matches everything below it. */
export type Choice = Partial<wit.Select>;
/** Options of a commit. */
export type CommitChoice = Choice & Partial<Pick<wit.CommitOptions, "durability" | "conflicts">>;

/**
 * Opens the workspace in `upper`, and completes or removes interrupted changes. If there is none, one
 * is created over `lower`.
 */
export function openWorkspace(
    upper: string,
    { lower = [], moved, quota = {}, wait = 0, watch }: WorkspaceOptions = {},
) {
    return holding(lock(upper, wait), (release) => {
        const at = realpathSync(upper);
        const instance = guest([], [at], watch);
        const remembered = describe(instance, at, lower.length > 0);
        const lowers = lower.length > 0 ? lower.map((directory) => realpathSync(directory)) : remembered!;
        for (const place of lowers) instance.grants.set(place, false);
        instance.grants.set(at, true);
        const owner = { tag: "host" } as const;
        const how: wit.Options = { upper: at, lowers, owner, quota, moved: moved ? "accept" : "refuse" };
        return new Workspace(instance, opened(instance, how, wait, remembered ? "open" : "create"), release, how, wait);
    });
}

/** Discards a workspace without reading it: its records may be damaged, and its lowers gone. */
export function abandon(upper: string): void {
    locked(upper, () => guest([upper]).call(({ workspace }) => workspace.abandon(realpathSync(upper), { tag: "host" })));
}

/** Returns the lowers of the existing workspace. */
function describe(instance: Instance, upper: string, canBeMade: boolean): string[] | undefined {
    try {
        return instance.call(({ workspace }) => workspace.describe(upper));
    } catch (error) {
        if (!canBeMade || (error as OnionskinError).kind !== "not-found") throw error;
        return undefined;
    }
}

function opened(instance: Instance, how: wit.Options, wait: number, begin: "open" | "create"): wit.Workspace {
    const call = () => instance.call(({ workspace: { Workspace } }) => Workspace[begin](how));
    try {
        return call();
    } catch (error) {
        if ((error as OnionskinError).kind !== "read-only") throw error;
        return writing(instance, how.lowers[0]!, wait, call); // A commit has to be completed.
    }
}

/** An open workspace. A power loss may take changes that were not synced before it was closed. */
export class Workspace extends WorkspaceCalls {
    /** @internal */
    constructor(instance: Instance, workspace: wit.Workspace, release: () => void, private how: wit.Options, private wait: number) {
        super(instance, workspace, release);
    }

    /** Reads a whole file. */
    readFile(path: string): Uint8Array {
        const pieces: Uint8Array[] = [];
        do pieces.push(this.read(path, BigInt(pieces.length * PIECE_BYTES), PIECE_BYTES));
        while (pieces.at(-1)!.length === PIECE_BYTES);
        return Buffer.concat(pieces);
    }

    /** Commits changes to the topmost lower atomically. The workspace stays usable. */
    commit({ durability = "full", conflicts = "fail", ...choice }: CommitChoice = {}): wit.Receipt {
        return writing(this.guest, this.how.lowers[0]!, this.wait, (into) => {
            const receipt = this.call("commit", { into, paths: { ...SELECT, ...choice }, durability, conflicts });
            this.sync(); // Releases content that is no longer needed.
            return receipt;
        });
    }

    /** Writes the merged tree to an empty directory, atomically, without what `leftOuts` returns, or other paths. */
    override exportTo(to: string, without?: string[], durability: wit.Durability = "full"): wit.Receipt {
        const left = without ?? this.leftOuts().map(({ path }) => path);
        return writing(this.guest, to, this.wait, (place) => super.exportTo(place, left, durability));
    }

    /** Creates a second workspace from the present state, in an empty directory. */
    fork(upper: string): void {
        writing(this.guest, upper, this.wait, (place) => this.guest.drop(this.call("fork", { ...this.how, upper: place })));
    }

    /** Discards every change, and the workspace itself. */
    override discard(): void {
        super.discard();
        this.close();
    }
}
