import { realpathSync } from "node:fs";

import type * as wit from "../gen/interfaces/onionskin-fs-workspace.js";
import { holding, type Instance, type OnionskinError, SELECT, WorkspaceCalls } from "./bindings.js";
import { guest, writing } from "./guest.js";
import type { Watch } from "./wasi/filesystem.js";
import { lock } from "./wasi/lock.js";

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
/** What to commit, and how. */
export type CommitChoice = Choice & Partial<Pick<wit.CommitOptions, "durability" | "conflicts">>;

/**
 * Opens the workspace in `upper`, and finishes or removes what a crash left. Where there is none, one
 * is made over `lower`.
 */
export function openWorkspace(upper: string, { lower = [], moved, quota = {}, watch }: WorkspaceOptions = {}) {
    return holding(lock(upper), (release) => {
        const at = realpathSync(upper);
        const instance = guest([], [at], watch);
        const remembered = describe(instance, at, lower.length > 0);
        const lowers = lower.length > 0 ? lower.map((directory) => realpathSync(directory)) : remembered!;
        for (const place of lowers) instance.grants.set(place, false);
        instance.grants.set(at, true);
        const owner = { tag: "host" } as const;
        const how: wit.Options = { upper: at, lowers, owner, quota, moved: moved ? "accept" : "refuse" };
        return new Workspace(instance, opened(instance, how, remembered ? "open" : "create"), release, how);
    });
}

/** The lowers of the workspace that is there. */
function describe(instance: Instance, upper: string, canBeMade: boolean): string[] | undefined {
    try {
        return instance.call(({ workspace }) => workspace.describe(upper));
    } catch (error) {
        if (!canBeMade || (error as OnionskinError).kind !== "not-found") throw error;
        return undefined;
    }
}

function opened(instance: Instance, how: wit.Options, begin: "open" | "create"): wit.Workspace {
    const call = () => instance.call(({ workspace: { Workspace } }) => Workspace[begin](how));
    try {
        return call();
    } catch (error) {
        if ((error as OnionskinError).kind !== "read-only") throw error;
        return writing(instance, how.lowers[0]!, call); // A commit is to be finished.
    }
}

/** An open workspace. What was not synced when it is closed may be lost with the power. */
export class Workspace extends WorkspaceCalls {
    /** @internal */
    constructor(instance: Instance, workspace: wit.Workspace, release: () => void, private how: wit.Options) {
        super(instance, workspace, release);
    }

    /** All of a file. */
    readFile(path: string): Uint8Array {
        const pieces: Uint8Array[] = [];
        do pieces.push(this.read(path, BigInt(pieces.length * PIECE_BYTES), PIECE_BYTES));
        while (pieces.at(-1)!.length === PIECE_BYTES);
        return Buffer.concat(pieces);
    }

    /** Writes changes to the topmost lower, all or nothing. The workspace goes on from there. */
    commit({ durability = "full", conflicts = "fail", ...choice }: CommitChoice = {}): wit.Receipt {
        return writing(this.guest, this.how.lowers[0]!, (into) => {
            const receipt = this.call("commit", { into, paths: { ...SELECT, ...choice }, durability, conflicts });
            this.sync(); // Gives back what is not needed any more.
            return receipt;
        });
    }

    /** Writes all that is shown to an empty directory, all or nothing. */
    override exportTo(to: string, durability: wit.Durability = "full"): wit.Receipt {
        return writing(this.guest, to, (place) => super.exportTo(place, durability));
    }

    /** Makes a second workspace from the present state, in an empty directory. */
    fork(upper: string): void {
        writing(this.guest, upper, (place) => this.guest.drop(this.call("fork", { ...this.how, upper: place })));
    }

    /** Gives up all that was written, and the workspace with it. */
    override discard(): void {
        super.discard();
        this.close();
    }
}
