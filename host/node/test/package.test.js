// The additions of the package: typed errors where the shim has none, read-only grants, the lock, and
// stops before any call.

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { inspect, openStore, OnionskinError } from "onionskin";

import { filesystem } from "../dist/wasi/filesystem.js";
import { guest } from "../dist/guest.js";
import { eventually, program, world } from "./world.js";

const here = fileURLToPath(new URL(".", import.meta.url));
/** Runs a program in another process; `onionskin` is imported already. */
const node = (code, ...given) => {
    const lines = `import { openStore } from "onionskin"; ${code}`;
    return [process.execPath, ["--input-type=module", "--eval", lines, ...given]];
};

test("an error is an OnionskinError with the kind of the contract", (t) => {
    const at = world(t);
    const store = openStore(at.root);
    assert.throws(() => store.replace("missing/a", "a"), OnionskinError);
    assert.throws(() => store.replace("missing/a", "a"), { kind: "not-found", subject: "missing", message: /missing/ });
    assert.throws(() => store.replaceJson("a.json", "{"), { kind: "invalid-json", subject: "a.json" });
    store.close();
    assert.throws(() => store.replace("a", "a"), { kind: "stopped" });
    assert.throws(() => store.recovered(), { kind: "stopped" });
    assert.throws(() => openStore(join(at.root, "nowhere")));
});

test("content of any size arrives whole", (t) => {
    const at = world(t);
    const content = Buffer.alloc(20_000_001, "0123456789");
    const store = openStore(at.root);
    store.replace("replaced", content);
    const change = store.transaction("d");
    change.put("put", content);
    change.put("empty", "");
    change.commit();
    assert.throws(() => change.commit(), { kind: "invalid-argument" });
    store.writer("dropped").write("neither committed nor dropped");
    store.close();
    assert.ok(fs.readFileSync(join(at.root, "replaced")).equals(content));
    assert.ok(fs.readFileSync(join(at.root, "d/put")).equals(content));
    assert.deepEqual(fs.readdirSync(at.root).sort(), ["d", "replaced"]);
});

test("content keeps the mode of what it replaces, and nobody else sees it before", (t) => {
    const at = world(t);
    const mode = (name) => fs.statSync(join(at.root, name)).mode & 0o7777;
    const put = (name, bits) => {
        fs.mkdirSync(join(at.root, name, ".."), { recursive: true });
        fs.writeFileSync(join(at.root, name), "old");
        fs.chmodSync(join(at.root, name), bits);
    };
    const store = openStore(at.root);
    put("key.pem", 0o600);
    const writer = store.writer("key.pem");
    writer.write("the secret");
    const staged = fs.readdirSync(join(at.root, ".onionskin")).map((name) => mode(join(".onionskin", name)));
    assert.deepEqual([mode(".onionskin"), staged], [0o700, [0o600]]);
    writer.commit();
    store.replace("new", "new");
    assert.deepEqual([mode("key.pem"), mode("new")], [0o600, 0o666 & ~process.umask()]);
    for (const publish of ["in-place", "swap", "pointer"]) {
        put(`${publish}/tool.sh`, 0o755);
        put(`${publish}/shared/kept`, 0o640);
        fs.chmodSync(join(at.root, publish, "shared"), 0o2775);
        fs.chmodSync(join(at.root, publish), 0o750);
        const change = store.transaction(publish, { publish });
        change.put("tool.sh", "new");
        change.commit();
        const modes = ["", "tool.sh", "shared", "shared/kept"].map((name) => mode(join(publish, name)));
        assert.deepEqual(modes, [0o750, 0o755, 0o2775, 0o640], publish);
    }
    store.close();
});

test("the lock is that of the Rust host, both ways", async (t) => {
    const at = world(t);
    const store = openStore(at.root);
    const ran = spawnSync(program(), ["recover", "root"], { cwd: at.top, encoding: "utf8" });
    assert.deepEqual([ran.status, /another owner/.test(ran.stderr)], [1, true], ran.stderr);
    store.close();
    assert.equal(spawnSync(program(), ["recover", "root"], { cwd: at.top }).status, 0);
    const holder = spawn("flock", [at.root, "cat"], { stdio: ["pipe", "ignore", "ignore"] });
    t.after(() => holder.kill());
    await eventually(() => spawnSync("flock", ["--nonblock", at.root, "true"]).status !== 0);
    assert.throws(() => openStore(at.root), { kind: "locked" });
    holder.stdin.end();
    await once(holder, "exit");
    openStore(at.root).close();
});

test("one that waits gets its turn", async (t) => {
    const at = world(t);
    const holder = spawn("flock", [at.root, "sleep", "0.5"], { stdio: "ignore" });
    const ended = once(holder, "exit");
    await eventually(() => spawnSync("flock", ["--nonblock", at.root, "true"]).status !== 0);
    assert.throws(() => openStore(at.root, { wait: 0.05 }), { kind: "locked" });
    openStore(at.root, { wait: 120 }).close();
    await ended;
});

test("a transaction has conditions", (t) => {
    const at = world(t);
    const read = join(at.root, "read");
    fs.writeFileSync(read, "old");
    const store = openStore(at.root);
    const seen = store.fingerprint("read", "digest");
    const put = (content) => {
        const change = store.transaction(".");
        change.expect("read", { tag: "unchanged", val: seen });
        change.put("written", content);
        change.commit();
    };
    put("first");
    fs.writeFileSync(read, "of others");
    assert.throws(() => put("second"), { kind: "precondition-failed", subject: "read" });
    store.close();
    assert.equal(fs.readFileSync(join(at.root, "written"), "utf8"), "first");
});

test("a killed owner keeps nobody out", async (t) => {
    const at = world(t);
    const code = "openStore(process.argv[1]); console.log(); setInterval(() => {}, 1000)";
    const [execute, given] = node(code, at.root);
    const owner = spawn(execute, given, { cwd: here, stdio: ["ignore", "pipe", "inherit"] });
    await once(owner.stdout, "data");
    assert.throws(() => openStore(at.root), { kind: "locked" });
    owner.kill("SIGKILL");
    await once(owner, "exit");
    openStore(at.root).close();
});

test("an open store does not keep the process alive", (t) => {
    const [execute, given] = node("openStore(process.argv[1])", world(t).root);
    assert.equal(spawnSync(execute, given, { cwd: here, timeout: 20_000 }).status, 0);
});

test("a name that is not UTF-8 is refused and kept", (t) => {
    const at = world(t, { "root/d/a": "old" });
    const odd = Buffer.concat([Buffer.from(join(at.root, "d/")), Buffer.from([0xff])]);
    fs.writeFileSync(odd, "kept");
    const store = openStore(at.root);
    const change = store.transaction("d", { publish: "swap" });
    assert.throws(() => (change.put("a", "new"), change.commit()), { kind: "illegal-name" });
    const inPlace = store.transaction("d");
    inPlace.put("a", "new");
    inPlace.commit();
    store.close();
    assert.equal(fs.readFileSync(odd, "utf8"), "kept");
    assert.deepEqual(fs.readdirSync(at.root), ["d"]);
});

test("a root that may only be read is told", (t) => {
    const { root } = world(t);
    const { tier, reason } = guest([], [root]).call(({ capabilities }) => capabilities.probe(root));
    assert.equal(tier, "refused");
    assert.match(reason, /^it is granted for reading alone, or the system refuses: /);
});

test("a directory that is granted for reading alone cannot be changed", (t) => {
    const at = world(t, { "lower/a": "a" });
    const grants = new Map([[at.root, true], [at.path("lower"), false]]);
    const shim = filesystem(grants, undefined);
    const [[root], [lower]] = shim.preopens.getDirectories();
    const directory = lower.openAt({}, ".", { directory: true }, { read: true });
    for (const given of [lower, directory]) {
        assert.throws(() => given.openAt({}, "b", { create: true }, { write: true }), /not-permitted/);
        assert.throws(() => given.openAt({}, "a", {}, { write: true }), /not-permitted/);
        assert.throws(() => given.createDirectoryAt("b"), /not-permitted/);
        assert.throws(() => given.unlinkFileAt("a"), /not-permitted/);
        assert.throws(() => given.renameAt("a", root, "a"), /not-permitted/);
        assert.throws(() => root.linkAt({}, "a", given, "b"), /not-permitted/);
        assert.equal(given.statAt({}, "a").type, "regular-file");
    }
    assert.deepEqual(at.files("lower"), { a: "a" });
    // As during a commit, and no longer.
    grants.set(at.path("lower"), true);
    directory.createDirectoryAt("b");
    grants.set(at.path("lower"), false);
    assert.throws(() => directory.removeDirectoryAt("b"), /not-permitted/);
});

test("a directory that becomes a link meanwhile leads no write out of the root", (t) => {
    for (let call = 1, came = false; ; call += 1, came = false) {
        const at = world(t, { "root/d/a": "old", "elsewhere/a": "theirs" });
        let left = call;
        const watch = () => {
            if (--left !== 0) return;
            came = true;
            fs.renameSync(join(at.root, "d"), at.path("moved"));
            fs.symlinkSync(at.path("elsewhere"), join(at.root, "d"));
        };
        let store;
        try {
            store = openStore(at.root, { token: "owner", watch });
            store.replace("d/a", "new");
            store.close();
        } catch ({ kind, message }) {
            // One that is thrown by opening is about the root, and of any kind.
            if (store) assert.ok(["symlink-escapes", "not-committed"].includes(kind), `call ${call}: ${message}`);
            assert.ok(came, `call ${call}: ${message}`);
        }
        assert.deepEqual(at.files("elsewhere"), { a: "theirs" }, `call ${call}`);
        if (!came) return;
    }
});

test("a write that the system refuses is an error with a side, not the end of the component", (t) => {
    const at = world(t, { "root/a": "old" });
    const code = `const store = openStore(process.argv[1]);
        try { store.replace("a", "0123456789".repeat(1000)) } catch ({ kind, cause }) { console.log(kind, cause) }
        store.replace("a", "new"); store.close();`;
    const [execute, given] = node(code, at.root);
    const limited = ["-c", 'ulimit -f 4; exec "$0" "$@"', execute, ...given];
    const ran = spawnSync("bash", limited, { cwd: here, encoding: "utf8" });
    assert.deepEqual([ran.stdout, ran.status], ["not-committed other\n", 0], ran.stderr);
    assert.deepEqual(at.look(), { files: { a: "new" }, links: [], left: [] });
});

for (const publish of ["in-place", "swap", "pointer"]) {
    test(`what a killed process left is recovered by the Rust host: ${publish}`, (t) => {
        const code = `let [, root, publish, calls] = process.argv;
            const watch = () => { if (--calls < 0) process.kill(process.pid, "SIGKILL") };
            const store = openStore(root, { watch });
            const change = store.transaction("d", { publish });
            change.put("a", "new"); change.put("e/b", "b"); change.remove("gone");
            change.commit();
            store.close();
            console.log(calls)`;
        const begin = () => world(t, { "root/d/keep": "keep", "root/d/a": "old", "root/d/gone": "gone" });
        const run = (at, calls) => {
            const [execute, given] = node(code, at.root, publish, calls);
            return spawnSync(execute, given, { cwd: here, encoding: "utf8" });
        };
        const done = begin();
        const calls = 10_000 - Number(run(done, 10_000).stdout);
        const [old, next] = [begin().look(), done.look()].map((tree) => JSON.stringify(tree));
        assert.notEqual(old, next);
        const came = new Set();
        for (let call = 0; call < calls; call += Math.ceil(calls / 12)) {
            const at = begin();
            assert.equal(run(at, call).signal, "SIGKILL");
            assert.equal(spawnSync(program(), ["recover", "root"], { cwd: at.top }).status, 0);
            const now = JSON.stringify(at.look());
            assert.ok([old, next].includes(now), `call ${call} of ${calls}: ${now}`);
            came.add(now);
            assert.deepEqual(inspect(at.root), []);
        }
        assert.equal(came.size, 2);
    });
}

test("the program of the README", (t) => {
    const at = world(t, {
        "store/conv-1/draft.json": "{}",
        "store/facts.db": { link: "/cache/facts.db" },
        "cache/facts.db": "facts",
        "project/notes.txt": "a line\n",
        "project/draft.txt": "a draft",
    });
    fs.mkdirSync(at.path("changes"));
    const readme = fs.readFileSync(new URL("../README.md", import.meta.url), "utf8");
    const [, shown] = /```js\n(.*?)```/s.exec(readme);
    const code = shown.replace('"onionskin"', JSON.stringify(import.meta.resolve("onionskin")));
    const ran = spawnSync(process.execPath, ["--input-type=module", "--eval", code], { cwd: at.top, encoding: "utf8" });
    assert.equal(ran.status, 0, ran.stderr);
    assert.match(ran.stdout, /^durable\n/);
    assert.deepEqual(Object.keys(at.files("store")).sort(), [
        "conv-1/events.json",
        "conv-1/metadata.json",
        "facts.db",
        "today.json",
    ]);
    assert.deepEqual(at.files("project"), { "notes.txt": "a line\nanother line\n" });
    assert.equal(fs.lstatSync(at.path("store/facts.db")).isSymbolicLink(), false);
});
