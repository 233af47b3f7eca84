/** Returns the identity of a file or directory, as wasmtime computes it: SipHash-1-3 of device and inode. So
 * every host recognizes the lowers of a workspace that another one created. */
export function metadataHash({ dev, ino }: { dev: bigint; ino: bigint }) {
    const word = (value: bigint) => BigInt.asUintN(64, value);
    const turn = (value: bigint, by: bigint) => word(value << by) | (value >> (64n - by));
    let [a, b, c, d] = [0x736f6d6570736575n, 0x646f72616e646f6dn, 0x6c7967656e657261n, 0x7465646279746573n];
    const mix = (part: bigint) => {
        [a, c, d] = [word(a + b), word(c + (d ^ part)), d ^ part];
        [b, d] = [turn(b, 13n) ^ a, turn(d, 16n) ^ c];
        [a, c] = [word(turn(a, 32n) + d), word(c + b)];
        [b, d] = [turn(b, 17n) ^ c, turn(d, 21n) ^ a];
        [a, c] = [a ^ part, turn(c, 32n)];
    };
    [dev, ino, 16n << 56n].forEach(mix);
    c ^= 0xffn;
    [0n, 0n, 0n].forEach(mix);
    const lower = a ^ b ^ c ^ d;
    return { lower, upper: lower ^ 4614256656552045848n };
}
