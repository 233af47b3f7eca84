//! Mutation of inputs by seed, for runs that no coverage leads.

use fastrand::Rng;

/// The longest input.
pub const BYTES_MAX: usize = 4096;

/// Numbers at the edges of their types.
const EDGES: [u64; 9] = [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0xffff_ffff, u64::MAX];

/// Returns an input that is made of one or two others.
///
/// # Panics
///
/// If there is no input.
#[must_use]
pub fn mutated(inputs: &[Vec<u8>], random: &mut Rng) -> Vec<u8> {
    let pick = |random: &mut Rng| inputs[random.usize(..inputs.len())].clone();
    let mut bytes = pick(random);
    for _ in 0..random.u32(1..=6) {
        let at = random.usize(..=bytes.len());
        let end = random.usize(at..=bytes.len().min(at + 64));
        match random.u32(..8) {
            0 if at < bytes.len() => bytes[at] ^= 1 << random.u32(..8),
            1 if at < bytes.len() => bytes[at] = random.u8(..),
            2 => bytes.insert(at, random.u8(..)),
            3 => drop(bytes.drain(at..end)),
            4 => {
                let piece = bytes[at..end].to_vec();
                let to = random.usize(..=bytes.len());
                bytes.splice(to..to, piece);
            }
            5 => {
                let number = EDGES[random.usize(..EDGES.len())].to_le_bytes();
                let length = [1, 2, 4, 8][random.usize(..4)].min(bytes.len() - at);
                bytes[at..at + length].copy_from_slice(&number[..length]);
            }
            6 => {
                let other = pick(random);
                let from = random.usize(..=other.len());
                bytes.truncate(at);
                bytes.extend(&other[from..]);
            }
            _ => bytes.truncate(at.max(1)),
        }
        bytes.truncate(BYTES_MAX);
    }
    bytes
}
