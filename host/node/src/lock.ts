import { spawn } from "node:child_process";
import { once } from "node:events";

import { OnionskinError } from "./error.js";

const CONFLICT = 75;

/**
 * Takes the lock of the operating system on a directory that the other hosts take, and answers with
 * how to release it. Node has no call for it: the program `flock` holds it, for as long as this
 * process lives.
 */
export async function lock(root: string): Promise<() => Promise<void>> {
    const options = ["--nonblock", "--conflict-exit-code", String(CONFLICT), root];
    const hold = ["sh", "-c", "echo held; exec cat"];
    const holder = spawn("flock", [...options, ...hold], { stdio: ["pipe", "pipe", "inherit"] });
    const exited = once(holder, "exit");
    const [held] = await Promise.race([once(holder.stdout, "data"), exited]).catch((cause) => {
        throw new OnionskinError("unsupported", `${root}: flock of util-linux is needed, or a token`, root, cause);
    });
    if (held === CONFLICT) throw new OnionskinError("locked", `${root}: another owner has this root open`, root);
    if (typeof held === "number") throw new OnionskinError("unsupported", `${root}: flock failed with ${held}`, root);
    for (const one of [holder, holder.stdin, holder.stdout] as { unref?: () => void }[]) one.unref?.();
    return async () => {
        holder.ref();
        holder.stdin.end();
        await exited;
    };
}

/** Does something while the lock on a directory is held. */
export async function locked<T>(root: string, act: () => T): Promise<T> {
    const release = await lock(root);
    try {
        return act();
    } finally {
        await release();
    }
}
