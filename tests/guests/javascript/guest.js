// The contract in JavaScript, by componentize-js: calls are methods, and an error is thrown with what the contract
// says of it as its `payload`.

import { Store, Transaction } from "onionskin:fs/store@0.1.0";
import { Workspace } from "onionskin:fs/workspace@0.1.0";

const bytes = (text) => new TextEncoder().encode(text);
const HOST = { tag: "host" };

function stored(told) {
    const store = Store.open("/root", { owner: HOST, trace: "off" });
    const how = { durability: "full", symlinks: "replace", when: { tag: "none" }, same: "rewrite" };
    told.push(`replaced a.txt: ${store.replace("a.txt", bytes("hello"), how).bytes} bytes`);
    told.push(`a.txt has ${store.fingerprint("a.txt", "metadata").size} bytes`);
    told.push(`replaced b.json: ${store.replaceJson("b.json", `{"b": 1}`, how).bytes} bytes`);
    try {
        store.replaceJson("b.json", "{", how);
        told.push("not refused");
    } catch ({ payload: { kind, subject } }) {
        told.push(kind === "invalid-json" ? `refused: ${subject}` : `refused otherwise: ${kind}`);
    }
    const change = store.begin("d", { publish: "swap", durability: "full", symlinks: "replace" });
    change.put("one", bytes("1"));
    change.put("two", bytes("22"));
    told.push(`committed d: ${Transaction.commit(change).applied} paths`);
    store[Symbol.dispose]();
}

function worked(told) {
    const [all, quota] = [{ only: [], except: [] }, {}];
    const how = { upper: "/upper", lowers: ["/lower"], owner: HOST, quota, moved: "refuse" };
    const workspace = Workspace.create(how);
    workspace.append("notes.txt", bytes("two\n"));
    workspace.put("new.txt", bytes("new"));
    workspace.remove("gone.txt");
    for (const { path } of workspace.changes(all, undefined, 100).changes) told.push(`changed: ${path}`);
    const receipt = workspace.commit({ into: "/lower", paths: all, durability: "full", conflicts: "fail" });
    told.push(`committed: ${receipt.bytes} bytes`);
    told.push(`notes.txt: ${new TextDecoder().decode(workspace.read("notes.txt", 0n, 100))}`);
    workspace[Symbol.dispose]();
}

export function run() {
    const told = [];
    try {
        stored(told);
        worked(told);
    } catch (error) {
        told.push(`failed: ${error.payload?.message ?? error}`);
    }
    return told;
}
