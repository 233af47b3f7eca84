// A directory to run in, its files, and the comparison of results.

import assert from "node:assert/strict";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

/** The program of the Rust host; `ONIONSKIN` names another than the default. */
export function program() {
    return process.env.ONIONSKIN || fileURLToPath(new URL("../../../target/debug/onionskin", import.meta.url));
}

/** Repeats an attempt until it succeeds, since a lock is released a moment after its holder ended. */
export async function eventually(attempt) {
    for (let tries = 0; tries < 500; tries += 1) {
        const answer = await attempt();
        if (answer) return answer;
        await new Promise((resume) => setTimeout(resume, 10));
    }
    throw new Error(`it never came: ${attempt}`);
}

export function world(t, before = {}) {
    const top = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), "onionskin-")));
    t.after(() => fs.rmSync(top, { recursive: true }));
    const path = (name) => join(top, name);
    const root = path("root");
    for (const name of ["root", "lower"]) fs.mkdirSync(path(name));
    for (const [name, entry] of Object.entries(before)) {
        fs.mkdirSync(dirname(path(name)), { recursive: true });
        if (typeof entry === "string") fs.writeFileSync(path(name), entry);
        else fs.symlinkSync(entry.link.startsWith("/") ? path(entry.link) : entry.link, path(name));
    }
    /** Calls back with each path below a directory, with links followed and without records. */
    const walk = (directory, visit, from = directory) => {
        for (const name of fs.readdirSync(directory)) {
            const place = join(directory, name);
            if (relative(from, place).startsWith(".onionskin")) continue;
            visit(relative(from, place), place);
            if (fs.statSync(place, { throwIfNoEntry: false })?.isDirectory()) walk(place, visit, from);
        }
    };
    const files = (name) => {
        const found = {};
        walk(path(name), (name, place) => {
            if (fs.statSync(place, { throwIfNoEntry: false })?.isFile()) found[name] = fs.readFileSync(place, "utf8");
        });
        return found;
    };
    const sorted = ({ files, links, left }) => {
        const order = Object.entries(files).sort(([one], [other]) => (one < other ? -1 : 1));
        return { files: Object.fromEntries(order), links: links.toSorted(), left: left.toSorted() };
    };
    const look = () => {
        const links = [];
        walk(root, (name, place) => fs.lstatSync(place).isSymbolicLink() && links.push(name));
        const control = join(root, ".onionskin");
        return sorted({ files: files("root"), links, left: fs.existsSync(control) ? fs.readdirSync(control) : [] });
    };
    return { top, root, path, files, look, sorted };
}

/** Content, as the scenario writes it. */
export const data = (value) => (typeof value === "string" ? value : value.repeat[0].repeat(value.repeat[1]));

/** Encodes a result by the names of the contract. */
export function plain(answer) {
    if (answer instanceof Uint8Array) return Buffer.from(answer).toString("hex");
    if (typeof answer === "bigint") return Number(answer);
    if (Array.isArray(answer)) return answer.map(plain);
    if (typeof answer !== "object") return answer;
    const dashed = (name) => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    return Object.fromEntries(Object.entries(answer).map(([name, value]) => [dashed(name), plain(value)]));
}

/** Asserts that a result has the expected fields; lists are compared element by element. */
export function covers(answer, wanted, step) {
    if (Array.isArray(wanted)) {
        assert.equal(answer.length, wanted.length, JSON.stringify([step, answer]));
        wanted.forEach((one, at) => covers(answer[at], one, step));
    } else {
        const fields = Object.fromEntries(Object.keys(wanted).map((name) => [name, answer[name]]));
        assert.deepEqual(fields, wanted, JSON.stringify(step));
    }
}
