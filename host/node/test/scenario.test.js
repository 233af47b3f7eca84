// The scenario that all hosts run, and the recovery after a crash of another host.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { breakLock, inspect, openStore, probe } from "onionskin";

import { covers, data, plain, program, world } from "./world.js";

const scenes = JSON.parse(fs.readFileSync(new URL("../../../tests/scenario/store.json", import.meta.url), "utf8"));
const CALLS_MAX = 300;

const expected = (tree) => ({ links: [], left: [], ...tree });

function runner(at, store) {
    const seen = new Map();
    const open = ({ token }) => openStore(at.root, { lower: [at.path("lower")], token });
    const how = ({ path, how: { when, "if-identical": ifIdentical, ...how } = {} }) => {
        if (ifIdentical !== undefined) how.ifIdentical = ifIdentical;
        if (when === "as-seen") seen.set(path, store.fingerprint(path, "digest"));
        if (when === undefined) return how;
        return { ...how, when: when.startsWith("as-") ? { tag: "unchanged", val: seen.get(path) } : { tag: when } };
    };
    const end = (change, step) => (step.drop ? change.drop() : change.commit());
    return {
        open: (step) => {
            const second = open(step);
            const recovered = second.recovered();
            second.close();
            return recovered;
        },
        probe: () => probe(at.root),
        inspect: () => inspect(at.root),
        "break-lock": ({ token }) => breakLock(at.root, token),
        fingerprint: ({ path }) => store.fingerprint(path, "digest"),
        replace: (step) => store.replace(step.path, data(step.data), how(step)),
        "replace-json": (step) => store.replaceJson(step.path, step.json, how(step)),
        materialize: ({ path, source, content }) => {
            return store.materialize(path, { source: source && at.path(source), content });
        },
        writer: (step) => {
            const writer = store.writer(step.path, how(step));
            for (const chunk of step.chunks) {
                if (typeof chunk === "string") writer.write(chunk);
                else writer.writeFrom(at.path(chunk.from), BigInt(chunk.offset), BigInt(chunk.length));
            }
            return end(writer, step);
        },
        transaction: (step) => {
            const change = store.transaction(step.directory, step.how);
            const calls = {
                put: (path, value) => change.put(path, data(value)),
                append: (path, value) => change.append(path, data(value)),
                "put-file": (path, source) => change.putFile(path, at.path(source)),
                remove: (path) => change.remove(path),
                rename: (old, name) => change.rename(old, name),
            };
            for (const [call, ...given] of step.changes) calls[call](...given);
            return end(change, step);
        },
    };
}

for (const scene of scenes.cases) {
    test(scene.name, (t) => {
        const at = world(t, scene.before);
        const how = { lower: [at.path("lower")], token: scene.token };
        const store = scene.closed ? undefined : openStore(at.root, how);
        try {
            const run = runner(at, store);
            for (const step of scene.steps) {
                if (step.fails) {
                    const failed = () => run[step.call](step);
                    assert.throws(failed, (error) => (covers(error, step.fails, [step, error.message]), true));
                } else {
                    covers(plain(run[step.call](step)), step.gives ?? {}, step);
                }
            }
        } finally {
            store?.close();
        }
        assert.deepEqual(at.look(), expected(scene.after));
        if (scene.lower) assert.deepEqual(at.files("lower"), scene.lower);
    });
}

for (const scene of scenes.crashes) {
    test(`what the Rust host left is recovered: ${scene.name}`, (t) => {
        const [old, next] = [expected(scene.old), expected(scene.new)];
        const came = { old: 0, new: 0 };
        const input = scene.input ?? "";
        for (let call = 1; ; call += 1) {
            const at = world(t, scene.before);
            const ran = spawnSync(program(), ["--crash-at", call, ...scene.command], { cwd: at.top, input });
            const store = openStore(at.root);
            const verdicts = store.recovered().map(({ verdict }) => verdict);
            store.close();
            const now = JSON.stringify(at.look());
            const is = (tree) => JSON.stringify(at.sorted(tree)) === now;
            const side = is(next) ? "new" : is(old) ? "old" : undefined;
            assert.ok(side, `call ${call}: ${now}: ${ran.stderr}`);
            if (ran.status === 0) {
                assert.equal(side, "new");
                break;
            }
            const ended = `call ${call}: ${ran.status}: ${ran.error}: ${ran.stderr}`;
            assert.ok(ran.status === 70 && call < CALLS_MAX, ended);
            assert.ok(verdicts.every((verdict) => ["swept", "rolled-forward"].includes(verdict)), String(verdicts));
            if (verdicts.includes("rolled-forward")) assert.equal(side, "new");
            came[side] += 1;
        }
        assert.ok(came.old > 0 && came.new > 0, JSON.stringify(came));
    });
}
