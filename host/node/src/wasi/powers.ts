import { chmodSync, chownSync, closeSync, lstatSync, mkdirSync, openSync, type Stats, utimesSync } from "node:fs";
import { join } from "node:path";

/** An open directory, as far as the calls here need it. */
export interface Directory {
    readonly place: string;
    openAt(path: object, name: string, how: object, access: object): Directory;
    /** Makes a call that changes this directory and reads the others, if that is granted. */
    lend<T>(name: string, others: Directory[], act: () => T): T;
}

const PERMISSIONS = 0o7777;

/**
 * The calls of `onionskin:fs/host-powers`. Node has calls for the mode, the owner, the group and the times, and none for
 * access control lists and other extended attributes.
 */
export const powers = {
    createPrivateFileAt(directory: Directory, name: string) {
        const place = join(directory.place, name);
        directory.lend("createPrivateFileAt", [], () => closeSync(openSync(place, "wx", 0o600)));
        return directory.openAt({}, name, {}, { write: true });
    },

    createPrivateDirectoryAt(directory: Directory, name: string) {
        directory.lend("createPrivateDirectoryAt", [], () => mkdirSync(join(directory.place, name), 0o700));
    },

    copyAttributesAt(originals: Directory, original: string, directory: Directory, name: string, times: boolean) {
        return directory.lend("copyAttributesAt", [originals], () => {
            const [from, to] = [lstatSync(join(originals.place, original)), join(directory.place, name)];
            const owned = owner(to, from.uid, from.gid);
            chmodSync(to, narrowed(from.mode & PERMISSIONS, owned));
            if (times) utimesSync(to, from.atimeMs / 1000, from.mtimeMs / 1000);
            return owned.user && owned.group;
        });
    },

    inheritAttributesAt(parent: Directory, directory: Directory, name: string) {
        return directory.lend("inheritAttributesAt", [parent], () => {
            const [above, to] = [lstatSync(parent.place), join(directory.place, name)];
            const [isDirectory, handsDown] = [entry(to).isDirectory(), (above.mode & 0o2000) !== 0];
            const owned = owner(to, undefined, handsDown ? above.gid : process.getegid!());
            const mode = (isDirectory ? 0o777 : 0o666) & ~process.umask();
            chmodSync(to, narrowed(isDirectory && handsDown ? mode | 0o2000 : mode, owned));
            return owned.group;
        });
    },

    setModeAt(directory: Directory, name: string, mode: number) {
        directory.lend("setModeAt", [], () => {
            const to = join(directory.place, name);
            entry(to);
            chmodSync(to, mode & PERMISSIONS);
        });
    },
};

/** Which of owner and group could be given. */
interface Owned {
    user: boolean;
    group: boolean;
}

/** Returns an entry to change; never a link, which the calls by path would follow. */
function entry(place: string): Stats {
    const found = lstatSync(place);
    if (found.isSymbolicLink()) throw "loop";
    return found;
}

/** Gives an owner and a group, or the group alone. */
function owner(place: string, uid: number | undefined, gid: number): Owned {
    const now = entry(place);
    const give = (uid: number, gid: number) => {
        if (now.uid === uid && now.gid === gid) return true;
        try {
            chownSync(place, uid, gid);
            return true;
        } catch {
            return false;
        }
    };
    if (give(uid ?? now.uid, gid)) return { user: true, group: true };
    return { user: (uid ?? now.uid) === now.uid, group: give(now.uid, gid) };
}

/** Returns a mode that gives access to no more users, where the owner or the group is another one. */
function narrowed(mode: number, { user, group }: Owned): number {
    const kept = user ? mode : mode & ~0o4000;
    if (group) return kept;
    const both = (kept >> 3) & kept & 0o007;
    return (kept & ~0o2077) | (both << 3) | both;
}
