//! `replace` and `materialize`: one path.

use std::fs;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use indicatif::ProgressBar;
use onionskin_host::{
    Content, Durability, Error, ErrorKind, Evidence, Fingerprint, GuestError, Identical, NodeKind, Precondition,
    Receipt, Source, Store, SymlinkPolicy, WriteOptions,
};

use super::input::{Input, progress, wanted};
use super::render::{self, Answer};
use super::{Context, Stop};

/// The number of bytes in one call of the component: large enough to make calls cheap, small enough to keep its memory
/// small.
pub(super) const CHUNK_BYTES: u64 = 1 << 20;

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  echo '{\"title\":\"Trip\"}' | onionskin replace ./store conv-1/metadata.json --json
  onionskin replace ./workspace data/table.bin --from ./table.bin --lower /srv/cache
  onionskin replace ./store a.txt --from ./a.txt --when unchanged=sha256:9f86d081884c7d65...")]
pub(super) struct Replace {
    /// The root of the store
    root: PathBuf,
    /// The file, relative to ROOT; its directory must exist
    path: String,
    /// Take the new content from this file, instead of standard input
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// Refuse content that is not JSON, before any change
    #[arg(long)]
    json: bool,
    /// The promise that holds when the command returns
    #[arg(long, value_enum, default_value = "full")]
    durability: Durable,
    /// The treatment of a symbolic link at PATH or among its parents
    #[arg(long, value_enum, default_value = "replace")]
    symlinks: Symlinks,
    /// The precondition: `absent`, `single-link`, or `unchanged=sha256:HEX`
    #[arg(long, value_name = "CONDITION", value_parser = When::parse)]
    when: Option<When>,
    /// Keep a file that already has this content
    #[arg(long)]
    keep_identical: bool,
    /// Grant this directory for reading, for absolute links that lead there; may be repeated
    #[arg(long, value_name = "DIR")]
    lower: Vec<PathBuf>,
}

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  onionskin materialize ./workspace index.db --lower /srv/cache
  onionskin materialize ./workspace table.bin --content replace --from ./table.bin")]
pub(super) struct Materialize {
    /// The root of the store
    root: PathBuf,
    /// The link or file, relative to ROOT
    path: String,
    /// Grant this directory for reading, for absolute links that lead there; may be repeated
    #[arg(long, value_name = "DIR")]
    lower: Vec<PathBuf>,
    /// The new content of PATH
    #[arg(long, value_enum, default_value = "keep")]
    content: Holds,
    /// With `--content replace`: take it from this file, instead of standard input
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Durable {
    /// Visible to other programs; whole if the process dies, but not after a power loss
    Visible,
    /// Whole after a power loss, old or new
    Data,
    /// New after a power loss
    Full,
}

#[derive(Clone, Copy, ValueEnum)]
enum Symlinks {
    /// Fail
    Refuse,
    /// A link at PATH is replaced by the file; one among the parents becomes an independent directory
    Replace,
    /// The target of the link is replaced, if it is below ROOT
    FollowWithin,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Holds {
    /// The present content
    Keep,
    /// New content; the old content is not copied
    Replace,
}

/// A precondition in the form of the command line.
#[derive(Clone)]
pub(super) enum When {
    Absent,
    SingleLink,
    Unchanged(Vec<u8>),
}

impl When {
    const SHA256_BYTES: usize = 32;

    pub(super) fn parse(text: &str) -> Result<Self, String> {
        match text {
            "absent" => return Ok(Self::Absent),
            "single-link" => return Ok(Self::SingleLink),
            _ => {}
        }
        text.strip_prefix("unchanged=sha256:")
            .and_then(hex)
            .filter(|digest| digest.len() == Self::SHA256_BYTES)
            .map(Self::Unchanged)
            .ok_or_else(|| "give `absent`, `single-link`, or `unchanged=sha256:` and 64 hexadecimal digits".to_owned())
    }

    /// Converts it to the form of the contract. A digest does not include the length: the present one is used, since
    /// content of another length would not have the digest. A file that is not there meets no such condition.
    pub(super) fn precondition(&self, store: &Store, path: &str) -> Result<Precondition, Error> {
        match self {
            Self::Absent => Ok(Precondition::Absent),
            Self::SingleLink => Ok(Precondition::SingleLink),
            Self::Unchanged(digest) => {
                let size = match store.fingerprint(path, Evidence::Digest) {
                    Ok(found) => found.size,
                    Err(Error::Guest { error, .. }) if error.kind == ErrorKind::NotFound => 0,
                    Err(error) => return Err(error),
                };
                let (kind, digest) = (NodeKind::File, Some(digest.clone()));
                Ok(Precondition::Unchanged(Fingerprint { kind, size, digest, modified: None }))
            }
        }
    }
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digit = |at: usize| char::from(text.as_bytes()[at]).to_digit(16);
    (0..text.len())
        .step_by(2)
        .map(|at| {
            let low = (at + 1 < text.len()).then(|| digit(at + 1))??;
            u8::try_from(digit(at)? * 16 + low).ok()
        })
        .collect()
}

pub(super) fn replace(context: &Context, arguments: &Replace) -> Result<Answer, Error> {
    let input = Input::open(arguments.from.as_deref())?;
    let store = context.store(&arguments.root, &arguments.lower)?.open(&context.open_options())?;
    let options = WriteOptions::default()
        .durability(match arguments.durability {
            Durable::Visible => Durability::Visible,
            Durable::Data => Durability::Data,
            Durable::Full => Durability::Full,
        })
        .symlinks(match arguments.symlinks {
            Symlinks::Refuse => SymlinkPolicy::Refuse,
            Symlinks::Replace => SymlinkPolicy::Replace,
            Symlinks::FollowWithin => SymlinkPolicy::FollowWithin,
        })
        .when(match &arguments.when {
            Some(when) => when.precondition(&store, &arguments.path)?,
            None => Precondition::None,
        })
        .if_identical(if arguments.keep_identical { Identical::Keep } else { Identical::Rewrite });
    let receipt = if arguments.json {
        write_json(&store, arguments, input, &options)?
    } else {
        write(&store, &arguments.path, input, &options)?
    };
    finish(context, store, &arguments.path, &receipt)
}

/// Small content goes in one call; larger content is streamed, so that at most one chunk of it is in memory.
fn write(store: &Store, path: &str, mut input: Input, options: &WriteOptions) -> Result<Receipt, Error> {
    let chunk_bytes = store.limits()?.chunk_bytes.min(CHUNK_BYTES);
    let mut chunk = input.chunk(chunk_bytes)?;
    if (chunk.len() as u64) < chunk_bytes {
        return store.replace(path, &chunk, options);
    }
    let bar = progress(input.length);
    let mut writer = store.writer(path, options)?;
    while !chunk.is_empty() {
        writer.append(&chunk)?;
        bar.inc(chunk.len() as u64);
        chunk = input.chunk(chunk_bytes)?;
    }
    bar.finish_and_clear();
    writer.commit()
}

/// JSON is parsed as a whole, so it must fit in one call; a byte more than that is enough for the
/// component to refuse it.
fn write_json(store: &Store, arguments: &Replace, mut input: Input, options: &WriteOptions) -> Result<Receipt, Error> {
    let content = input.chunk(store.limits()?.chunk_bytes + 1)?;
    match String::from_utf8(content) {
        Ok(json) => store.replace_json(&arguments.path, &json, options),
        Err(error) => Err(Error::Guest {
            root: arguments.root.clone(),
            error: GuestError {
                kind: ErrorKind::InvalidJson,
                subject: arguments.path.clone(),
                message: format!("{}: is not JSON: {}; nothing was written", arguments.path, error.utf8_error()),
                cause: None,
            },
        }),
    }
}

pub(super) fn materialize(context: &Context, arguments: &Materialize) -> Result<Answer, Stop> {
    if arguments.from.is_some() && arguments.content == Holds::Keep {
        return Err(Stop::Usage("--from gives new content: say --content replace with it"));
    }
    let bar = match arguments.content {
        Holds::Keep if wanted() => progress(size(&arguments.root.join(&arguments.path))),
        Holds::Keep | Holds::Replace => ProgressBar::hidden(),
    };
    let store = if bar.is_hidden() {
        context.store(&arguments.root, &arguments.lower)?
    } else {
        let bar = bar.clone();
        let on_write = move |bytes| bar.inc(bytes);
        context.store_with_progress(&arguments.root, &arguments.lower, on_write)?
    };
    let store = store.open(&context.open_options())?;
    let content = match arguments.content {
        Holds::Keep => Content::Keep,
        Holds::Replace => {
            let bytes_max = store.limits()?.chunk_bytes + 1;
            Content::Replace(Input::open(arguments.from.as_deref())?.chunk(bytes_max)?)
        }
    };
    let receipt = store.materialize(&arguments.path, &Source::LinkTarget, &content)?;
    bar.finish_and_clear();
    Ok(finish(context, store, &arguments.path, &receipt)?)
}

/// Returns the bytes below a path, with links followed, for a progress bar only: unreadable entries do not count.
fn size(path: &Path) -> Option<u64> {
    let metadata = fs::metadata(path).ok()?;
    if !metadata.is_dir() {
        return Some(metadata.len());
    }
    let entries = fs::read_dir(path).ok()?;
    Some(entries.flatten().filter_map(|entry| size(&entry.path())).sum())
}

/// Returns the result as an answer, and closes the root.
pub(super) fn finish(context: &Context, store: Store, path: &str, receipt: &Receipt) -> Result<Answer, Error> {
    let recovered = store.recovered()?;
    let steps = if context.explain { Some(store.steps()?) } else { None };
    store.close()?;
    Ok(render::receipt(path, receipt, &recovered).with_steps(steps))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_read() {
        let digest = "ab".repeat(32);
        assert!(matches!(When::parse("absent"), Ok(When::Absent)));
        assert!(matches!(When::parse("single-link"), Ok(When::SingleLink)));
        match When::parse(&format!("unchanged=sha256:{digest}")) {
            Ok(When::Unchanged(bytes)) => assert_eq!(bytes, [0xab; 32]),
            Ok(When::Absent | When::SingleLink) | Err(_) => panic!("a digest was given"),
        }
        for wrong in ["", "unchanged", "unchanged=sha256:", "unchanged=sha256:ab", "unchanged=sha256:ä"] {
            assert!(When::parse(wrong).is_err(), "{wrong:?}");
        }
        assert!(When::parse(&format!("unchanged=sha256:{digest}0")).is_err());
    }
}
