import { spawnSync } from "node:child_process";
import { closeSync, openSync } from "node:fs";

import { holding, OnionskinError } from "../bindings.js";

const CONFLICT = 75;

/**
 * Takes the same lock of the operating system on a directory that the other hosts take, after waiting up
 * to some seconds, which block, and returns a function that releases it. The lock ends with this process. Node has no call for it: the program
 * `flock` takes it on a handle of this process, which keeps it.
 */
export function lock(root: string, wait = 0): () => void {
    const directory = openSync(root, "r");
    const patience = wait > 0 ? ["--timeout", String(wait)] : ["--nonblock"];
    const options = [...patience, "--conflict-exit-code", String(CONFLICT), "3"];
    const { status, error } = spawnSync("flock", options, { stdio: ["ignore", "ignore", "inherit", directory] });
    let isHeld = status === 0;
    const release = () => {
        if (isHeld) closeSync(directory);
        isHeld = false;
    };
    if (isHeld) return release;
    closeSync(directory);
    if (status === CONFLICT) throw new OnionskinError("locked", `${root}: another owner has this root open`, root);
    const why = error ? "flock of util-linux is needed, or a token" : `flock failed with ${status}`;
    throw new OnionskinError("unsupported", `${root}: ${why}`, root, error);
}

/** Runs a function while it holds the lock on a directory. */
export function locked<T>(root: string, act: () => T, wait = 0): T {
    return holding(lock(root, wait), (release) => {
        const answer = act();
        release();
        return answer;
    });
}
