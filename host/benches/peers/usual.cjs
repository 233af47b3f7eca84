// Replaces a file again and again with write-file-atomic, and prints the seconds of one time.
//
//     node usual.cjs MODULES ROOT COUNT durable|data|visible BYTES
//
// MODULES is where write-file-atomic is installed. It syncs the file and never its directory.
const { createRequire } = require("node:module");
const [modules, root, count, how, size] = process.argv.slice(2);
const { sync } = createRequire(`${modules}/`)("write-file-atomic");

const content = Buffer.alloc(Number(size), "x");
const replace = () => sync(`${root}/metadata.json`, content, { fsync: how !== "visible" });
if (Number(count) > 1) replace();
const start = process.hrtime.bigint();
for (let i = 0; i < Number(count); i++) replace();
console.log(Number(process.hrtime.bigint() - start) / 1e9 / Number(count));
