import { spawnSync } from "node:child_process";
import { closeSync, openSync } from "node:fs";

import { holding, OnionskinError } from "../bindings.js";

const CONFLICT = 75;

/**
 * Takes the lock of the operating system on a directory that the other hosts take, and answers with
 * how to release it. It goes with this process. Node has no call for it: the program `flock` takes it
 * on a handle of ours, and leaves it there.
 */
export function lock(root: string): () => void {
    const directory = openSync(root, "r");
    const options = ["--nonblock", "--conflict-exit-code", String(CONFLICT), "3"];
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

/** Does something while the lock on a directory is held. */
export function locked<T>(root: string, act: () => T): T {
    return holding(lock(root), (release) => {
        const answer = act();
        release();
        return answer;
    });
}
