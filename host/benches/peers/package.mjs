// Replaces a file again and again with the package for Node, and prints the seconds of one time.
//
//     node package.mjs PACKAGE ROOT COUNT durable|data|visible BYTES
const [path, root, count, how, size] = process.argv.slice(2);
const { openStore } = await import(path);

const content = Buffer.alloc(Number(size), "x");
const durability = how === "durable" ? "full" : how;
const store = openStore(root);
store.replace("metadata.json", content, { durability });
const start = process.hrtime.bigint();
for (let i = 0; i < Number(count); i++) store.replace("metadata.json", content, { durability });
console.log(Number(process.hrtime.bigint() - start) / 1e9 / Number(count));
store.close();
