// Works on the files of `/data` through WASI, which is all that JavaScript has for files there.

import { getStdout } from "wasi:cli/stdout@0.2.12";
import { getDirectories } from "wasi:filesystem/preopens@0.2.12";

const NO_FLAGS = {};
const bytes = (text) => new TextEncoder().encode(text);
const text = (bytes) => new TextDecoder().decode(bytes);

function print(line) {
    getStdout().blockingWriteAndFlush(bytes(`${line}\n`));
}

/** Prints what came of it, or which error. */
function tell(what, run) {
    try {
        print(`${what}: ${JSON.stringify(run() ?? "done")}`);
    } catch (error) {
        print(`${what}: error ${error.payload ?? error}`);
    }
}

function opened(data, path, open, flags, use) {
    const file = data.openAt({ symlinkFollow: true }, path, open, flags);
    try {
        return use(file);
    } finally {
        file[Symbol.dispose]();
    }
}

const read = (data, path) =>
    opened(data, path, NO_FLAGS, { read: true }, (file) => text(file.read(1n << 20n, 0n)[0]));

function streamed(data, path) {
    opened(data, path, { create: true }, { write: true }, (file) => {
        const stream = file.appendViaStream();
        for (let number = 0; number < 20; number++) stream.blockingWriteAndFlush(bytes(`line ${number}\n`));
        stream[Symbol.dispose]();
        file.sync();
    });
    return read(data, path).length;
}

function listed(data) {
    const names = [];
    const stream = data.readDirectory();
    for (let entry = stream.readDirectoryEntry(); entry; entry = stream.readDirectoryEntry()) {
        names.push(`${entry.name} ${entry.type}`);
    }
    return names.sort();
}

export const run = {
    run() {
        const [data] = getDirectories().find(([, name]) => name === "/data");
        tell("listed", () => listed(data));
        tell("read", () => read(data, "notes.txt"));
        tell("missing", () => read(data, "missing"));
        tell("written", () => opened(data, "notes.txt", NO_FLAGS, { write: true }, (file) => Number(file.write(bytes("XX"), 2n))));
        tell("read", () => read(data, "notes.txt"));
        tell("streamed", () => streamed(data, "notes.txt"));
        tell("new", () => streamed(data, "new.txt"));
        tell("exclusive", () => opened(data, "notes.txt", { create: true, exclusive: true }, { write: true }, () => 0));
        tell("cut", () => opened(data, "notes.txt", { truncate: true }, { write: true }, (file) => Number(file.stat().size)));
        tell("directory", () => data.createDirectoryAt("made"));
        tell("again", () => data.createDirectoryAt("made"));
        tell("moved", () => data.renameAt("tree", data, "made/tree"));
        tell("removed", () => data.unlinkFileAt("gone.txt"));
        tell("removed again", () => data.unlinkFileAt("gone.txt"));
        tell("full", () => data.removeDirectoryAt("made"));
        tell("link", () => data.symlinkAt("new.txt", "link"));
        tell("through the link", () => read(data, "link").length);
        tell("escaping", () => read(data, "../outside"));
        tell("listed", () => listed(data));
    },
};
