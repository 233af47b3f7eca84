// The workspace scenario that all hosts run, and the recovery after a crash of another host.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { openWorkspace } from "onionskin";

import { covers, data, plain, program, world } from "./world.js";

const scenes = JSON.parse(fs.readFileSync(new URL("../../../tests/scenario/workspace.json", import.meta.url), "utf8"));
const here = fileURLToPath(new URL(".", import.meta.url));
const CALLS_MAX = 400;
/** The number of calls from one crash point to the next: each takes six runs of a program. */
const STEP = 3;
const decoded = (bytes) => Buffer.from(bytes).toString();

/** Encodes a result as the scenario does: a variant is its case, or that and its value. */
const told = (answer) => {
    if (answer instanceof Uint8Array) return decoded(answer);
    if (Array.isArray(answer)) return answer.map(told);
    const flat = plain(answer ?? "nothing");
    if (flat.what) flat.what = "val" in flat.what ? [flat.what.tag, flat.what.val] : flat.what.tag;
    return flat;
};

function* walk(workspace, directory = ".") {
    for (const { name, kind } of workspace.list(directory)) {
        const path = directory === "." ? name : `${directory}/${name}`;
        if (kind === "file") yield [path, decoded(workspace.readFile(path))];
        else if (kind === "symlink") yield [path, { link: workspace.readLink(path) }];
        else yield* [[path, {}], ...walk(workspace, path)];
    }
}

function runner(at, { lowers = ["lower"], quota = {} }) {
    const numbers = Object.fromEntries(Object.entries(quota).map(([name, value]) => [name, BigInt(value)]));
    const open = ({ lowers = [], moved } = {}) => {
        return openWorkspace(at.path("upper"), { lower: lowers.map(at.path), moved, quota: numbers });
    };
    const create = () => open({ lowers });
    const opened = (how, begin) => {
        const workspace = begin(how);
        const found = workspace.recovered();
        workspace.close();
        return found;
    };
    const calls = {
        tree: (workspace) => Object.fromEntries(walk(workspace)),
        stat: (workspace, { path }) => workspace.stat(path),
        read: (workspace, { path, offset, length }) => workspace.read(path, BigInt(offset), length),
        "read-link": (workspace, { path }) => workspace.readLink(path),
        list: (workspace, { path }) => [...workspace.list(path)],
        write: (workspace, { path, offset, data: content }) => workspace.write(path, BigInt(offset), data(content)),
        append: (workspace, { path, data: content }) => workspace.append(path, data(content)),
        put: (workspace, { path, data: content }) => workspace.put(path, data(content)),
        "set-size": (workspace, { path, size }) => workspace.setSize(path, BigInt(size)),
        "make-directory": (workspace, { path }) => workspace.makeDirectory(path),
        "make-symlink": (workspace, { path, target }) => workspace.makeSymlink(target, path),
        remove: (workspace, { path }) => workspace.remove(path),
        "remove-tree": (workspace, { path }) => workspace.removeTree(path),
        rename: (workspace, { path, to }) => workspace.rename(path, to),
        changes: (workspace, choice) =>
            [...workspace.changes(choice)].map(({ path, what, kind, size }) => ({ path, what, kind, size })),
        conflicts: (workspace) => workspace.conflicts(),
        refresh: (workspace, { resolution, ...choice }) => workspace.refresh(choice, resolution),
        sync: (workspace) => workspace.sync(),
        checkpoint: (workspace, { label }) => workspace.checkpoint(label),
        checkpoints: (workspace) => workspace.checkpoints(),
        restore: (workspace, { number }) => workspace.restore(BigInt(number)),
        "drop-checkpoint": (workspace, { number }) => workspace.dropCheckpoint(BigInt(number)),
        fork: (workspace, { to }) => workspace.fork(at.path(to)),
        commit: (workspace, how) => workspace.commit(how),
        export: (workspace, { to }) => workspace.exportTo(at.path(to)),
        discard: (workspace) => workspace.discard(),
    };
    const outside = {
        create: (how) => opened(how, create),
        open: (how) => opened(how, open),
        files: ({ place }) => at.files(place),
        edit: ({ place, data }) => fs.writeFileSync(at.path(place), data),
    };
    const run = (workspace, step) => {
        if (step.call in outside) return outside[step.call](step);
        const other = step.of && (openWorkspace(at.path(step.of)));
        try {
            return calls[step.call](other ?? workspace, step);
        } finally {
            other?.close();
        }
    };
    return { create, run };
}

for (const scene of scenes.cases) {
    test(scene.name, (t) => {
        const at = world(t, scene.before);
        for (const name of ["upper", "new-upper", "out"]) fs.mkdirSync(at.path(name));
        const before = at.files("lower");
        const { create, run } = runner(at, scene);
        const workspace = scene.closed ? undefined : create();
        try {
            for (const step of scene.steps) {
                if (step.fails) {
                    const failed = () => run(workspace, step);
                    assert.throws(failed, (error) => (covers(error, step.fails, [step, error.message]), true));
                    continue;
                }
                const answer = told(run(workspace, step));
                if (step.is !== undefined) assert.deepEqual(answer, step.is, JSON.stringify(step));
                if (step.gives) covers(answer, step.gives, step);
            }
        } finally {
            workspace?.close();
        }
        assert.deepEqual(at.files("lower"), scene.lower ?? before);
    });
}

/** Creates the world of a crash, with a workspace of the Rust host. */
function prepared(t, scene) {
    const at = world(t, scene.before);
    fs.mkdirSync(at.path("upper"));
    for (const { command, input = "" } of scene.setup) {
        const ran = spawnSync(program(), command, { cwd: at.top, input, encoding: "utf8" });
        assert.equal(ran.status, 0, ran.stderr);
    }
    return at;
}

/** Opens the workspace, and returns whether it is old or new. */
function side(at, scene) {
    const workspace = openWorkspace(at.path("upper"));
    const changes = [...workspace.changes()].map(({ path }) => path);
    workspace.close();
    const now = { files: at.files("lower"), changes };
    const isNew = changes.length === 0;
    assert.deepEqual(now, { files: isNew ? scene.new : scene.old, changes: isNew ? [] : scene.changes });
    return isNew ? "new" : "old";
}

for (const scene of scenes.crashes) {
    test(`what the Rust host left is recovered: ${scene.name}`, (t) => {
        const came = new Set();
        for (let call = 1; ; call += STEP) {
            const at = prepared(t, scene);
            const ran = spawnSync(program(), ["--crash-at", call, ...scene.command], { cwd: at.top, encoding: "utf8" });
            const found = side(at, scene);
            if (ran.status === 0) {
                assert.equal(found, "new");
                break;
            }
            assert.ok(ran.status === 70 && call < CALLS_MAX, `call ${call}: ${ran.status}: ${ran.stderr}`);
            came.add(found);
        }
        assert.equal(came.size, 2);
    });

    test(`what a killed process left is recovered by the Rust host: ${scene.name}`, (t) => {
        const code = `import { openWorkspace } from "onionskin";
            let [, upper, calls] = process.argv;
            const watch = () => { if (--calls < 0) process.kill(process.pid, "SIGKILL") };
            const workspace = openWorkspace(upper, { watch });
            workspace.commit();
            workspace.close();
            console.log(calls)`;
        const run = (at, calls) => {
            const given = ["--input-type=module", "--eval", code, at.path("upper"), calls];
            return spawnSync(process.execPath, given, { cwd: here, encoding: "utf8" });
        };
        const calls = 10_000 - Number(run(prepared(t, scene), 10_000).stdout);
        const came = new Set();
        for (let call = 0; call < calls; call += Math.ceil(calls / 12)) {
            const at = prepared(t, scene);
            assert.equal(run(at, call).signal, "SIGKILL");
            const recovered = spawnSync(program(), ["recover", "upper"], { cwd: at.top, encoding: "utf8" });
            assert.equal(recovered.status, 0, recovered.stderr);
            const ran = spawnSync(program(), ["workspace", "changes", "upper"], { cwd: at.top, encoding: "utf8" });
            assert.equal(ran.status, 0, ran.stderr);
            const { stdout } = ran;
            const isNew = stdout === "";
            assert.deepEqual(at.files("lower"), isNew ? scene.new : scene.old, `call ${call} of ${calls}: ${stdout}`);
            came.add(isNew);
        }
        assert.equal(came.size, 2);
    });
}
