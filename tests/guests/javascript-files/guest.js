// Works on the files of `/data` through WASI, the only interface that JavaScript has for files there.

import { getStdout } from "wasi:cli/stdout@0.2.12";
import { getDirectories } from "wasi:filesystem/preopens@0.2.12";

const NO_FLAGS = {};
const bytes = (text) => new TextEncoder().encode(text);
const text = (bytes) => new TextDecoder().decode(bytes);

function print(line) {
    getStdout().blockingWriteAndFlush(bytes(`${line}\n`));
}

/** Prints the result, or the error. */
function printResult(label, run) {
    try {
        print(`${label}: ${JSON.stringify(run() ?? "done")}`);
    } catch (error) {
        print(`${label}: error ${error.payload ?? error}`);
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
        printResult("listed", () => listed(data));
        printResult("read", () => read(data, "notes.txt"));
        printResult("missing", () => read(data, "missing"));
        printResult("written", () => opened(data, "notes.txt", NO_FLAGS, { write: true }, (file) => Number(file.write(bytes("XX"), 2n))));
        printResult("read", () => read(data, "notes.txt"));
        printResult("streamed", () => streamed(data, "notes.txt"));
        printResult("new", () => streamed(data, "new.txt"));
        printResult("exclusive", () => opened(data, "notes.txt", { create: true, exclusive: true }, { write: true }, () => 0));
        printResult("cut", () => opened(data, "notes.txt", { truncate: true }, { write: true }, (file) => Number(file.stat().size)));
        printResult("directory", () => data.createDirectoryAt("made"));
        printResult("again", () => data.createDirectoryAt("made"));
        printResult("moved", () => data.renameAt("tree", data, "made/tree"));
        printResult("removed", () => data.unlinkFileAt("gone.txt"));
        printResult("removed again", () => data.unlinkFileAt("gone.txt"));
        printResult("full", () => data.removeDirectoryAt("made"));
        printResult("link", () => data.symlinkAt("new.txt", "link"));
        printResult("through the link", () => read(data, "link").length);
        printResult("escaping", () => read(data, "../outside"));
        printResult("listed", () => listed(data));
    },
};
