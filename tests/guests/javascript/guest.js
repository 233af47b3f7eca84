// The contract in JavaScript, by componentize-js: calls are methods, and an error is thrown with the error of the
// contract as its `payload`.

import { Store, Transaction } from "onionskin:fs/store@0.1.0";
import { Workspace } from "onionskin:fs/workspace@0.1.0";

const bytes = (text) => new TextEncoder().encode(text);
const HOST = { tag: "host" };

function stored(lines) {
    const store = Store.open("/root", { owner: HOST, trace: "off" });
    const options = { durability: "full", symlinks: "replace", when: { tag: "none" }, ifIdentical: "rewrite" };
    lines.push(`replaced a.txt: ${store.replace("a.txt", bytes("hello"), options).bytes} bytes`);
    lines.push(`a.txt has ${store.fingerprint("a.txt", "metadata").size} bytes`);
    lines.push(`replaced b.json: ${store.replaceJson("b.json", `{"b": 1}`, options).bytes} bytes`);
    try {
        store.replaceJson("b.json", "{", options);
        lines.push("not refused");
    } catch ({ payload: { kind, subject } }) {
        lines.push(kind === "invalid-json" ? `refused: ${subject}` : `refused otherwise: ${kind}`);
    }
    const change = store.begin("d", { publish: "swap", durability: "full", symlinks: "replace" });
    change.put("one", bytes("1"));
    change.put("two", bytes("22"));
    lines.push(`committed d: ${Transaction.commit(change).applied} paths`);
    store[Symbol.dispose]();
}

function worked(lines) {
    const [all, quota] = [{ only: [], except: [] }, {}];
    const options = { upper: "/upper", lowers: ["/lower"], owner: HOST, quota, moved: "refuse" };
    const workspace = Workspace.create(options);
    workspace.append("notes.txt", bytes("two\n"));
    workspace.put("new.txt", bytes("new"));
    workspace.remove("gone.txt");
    for (const { path } of workspace.changes(all, undefined, 100).changes) lines.push(`changed: ${path}`);
    const receipt = workspace.commit({ into: "/lower", paths: all, durability: "full", conflicts: "fail" });
    lines.push(`committed: ${receipt.bytes} bytes`);
    lines.push(`notes.txt: ${new TextDecoder().decode(workspace.read("notes.txt", 0n, 100))}`);
    workspace[Symbol.dispose]();
}

export function run() {
    const lines = [];
    try {
        stored(lines);
        worked(lines);
    } catch (error) {
        lines.push(`failed: ${error.payload?.message ?? error}`);
    }
    return lines;
}
