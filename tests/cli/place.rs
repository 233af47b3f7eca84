//! A filesystem of its own, in a file, for the tests of what a real kernel does.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};

use tempfile::TempDir;

use crate::ground::{self, Tree};

/// The ways to publish a directory.
pub(crate) const PUBLISH: [&str; 3] = ["in-place", "swap", "pointer"];

/// More calls than a change makes before its decision.
const CALLS_MAX: usize = 200;

/// A filesystem of its own, with the root `s` and new content in `n`.
pub(crate) struct Place {
    directory: TempDir,
    /// What is mounted, the newest last.
    mounts: Vec<PathBuf>,
    user: Option<u32>,
}

/// A filesystem, and how it is made and mounted.
pub(crate) struct Kind {
    make: &'static [&'static str],
    options: &'static str,
    mebibytes: u64,
}

pub(crate) const EXT4: Kind = Kind { make: &["mkfs.ext4", "-q", "-F"], options: "loop", mebibytes: 16 };
pub(crate) const BTRFS: Kind = Kind { make: &["mkfs.btrfs", "-q", "-f"], options: "loop", mebibytes: 128 };

pub(crate) fn run(program: &str, arguments: &[&str]) -> bool {
    Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success())
}

impl Place {
    /// Makes and mounts a filesystem, or reports that it cannot.
    pub(crate) fn new(kind: &Kind, user: Option<u32>) -> Option<Self> {
        let mut place = Self { directory: ground::scratch(), mounts: Vec::new(), user };
        fs::create_dir(place.at("")).expect("a new directory");
        let disk = place.directory.path().join("disk");
        let file = fs::File::create(&disk).expect("a new file");
        file.set_len(kind.mebibytes << 20).expect("a sparse file");
        let disk = disk.to_str().expect("a plain path");
        let made = run(kind.make[0], &[&kind.make[1..], &[disk]].concat());
        if !made || !place.mount(&["-o", kind.options, disk], "mounted") {
            ground::skip("a filesystem is made and mounted by root alone, with its mkfs");
            return None;
        }
        for (path, content) in
            [("s/conf/a", "old"), ("s/conf/b", "old"), ("s/conf/sub/c", "kept"), ("s/other/x", "x"), ("n/a", "new")]
        {
            ground::write(&place.at(path), content);
        }
        ground::write(&place.at("n/b"), "new");
        place.give();
        Some(place)
    }

    /// Mounts something at a path of the place.
    pub(crate) fn mount(&mut self, arguments: &[&str], at: &str) -> bool {
        let at = self.directory.path().join(at);
        let mounted = run("mount", &[arguments, &[at.to_str().expect("a plain path")]].concat());
        if mounted {
            self.mounts.push(at);
        }
        mounted
    }

    /// Unmounts what was mounted last. A mount point moves with the directory that holds it.
    pub(crate) fn unmount(&mut self) {
        self.mounts.pop().expect("something is mounted");
        let root = self.text("s/");
        let mounted = fs::read_to_string("/proc/self/mounts").expect("the kernel lists what is mounted");
        let places = mounted.lines().filter_map(|line| line.split(' ').nth(1));
        for at in places.filter(|at| at.starts_with(&root)) {
            assert!(run("umount", &[at]), "{at} can be unmounted");
        }
    }

    pub(crate) fn at(&self, path: &str) -> PathBuf {
        self.directory.path().join("mounted").join(path)
    }

    pub(crate) fn text(&self, path: &str) -> String {
        self.at(path).to_str().expect("a plain path").to_owned()
    }

    /// Gives the root and all in it to the user of the place.
    pub(crate) fn give(&self) {
        let owner = self.user.unwrap_or_default();
        assert!(run("chown", &["-R", &format!("{owner}:{owner}"), &self.text("s")]), "root gives files away");
    }

    /// Runs the program in the place, as its user.
    pub(crate) fn onionskin(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_onionskin"));
        command.args(arguments).current_dir(self.at("")).env("ONIONSKIN_CACHE_DIR", ground::cache());
        if let Some(user) = self.user {
            command.uid(user).gid(user).env("ONIONSKIN_CACHE_DIR", cache(user));
        }
        command.output().expect("the program starts")
    }

    pub(crate) fn put(&self, options: &[&str], publish: &str) -> Output {
        let change = ["put-dir", "s", "conf", "--from", "n", "--publish", publish];
        self.onionskin(&[options, &change[..]].concat())
    }

    /// Leaves the root as a crash after the decision does, with every path in its place.
    pub(crate) fn decide(&self, publish: &str, context: &str) {
        // The directory that is published has no name for a moment, and another entry in its place then.
        self.crash(publish, context, |place| {
            place.at("s/.onionskin/log").exists() && place.content("s/conf/b") == "old"
        });
    }

    /// Leaves the root in a state that a crash of a change leaves.
    pub(crate) fn crash(&self, publish: &str, context: &str, is_wanted: impl Fn(&Self) -> bool) {
        // Known after the first search: the calls are nearly the same for every obstacle.
        static CALLS: [AtomicUsize; 3] = [const { AtomicUsize::new(1) }; 3];
        let mode = PUBLISH.iter().position(|mode| *mode == publish).expect("a way to publish");
        let known = CALLS[mode].load(Ordering::Relaxed);
        assert!(run("cp", &["-a", &self.text("s"), &self.text("pristine")]), "a copy");
        for call in (known..CALLS_MAX).chain(1..known) {
            let output = self.put(&["--crash-at", &call.to_string()], publish);
            if is_wanted(self) {
                CALLS[mode].store(call, Ordering::Relaxed);
                return;
            }
            assert!(output.status.code() == Some(70) || call >= known, "{context}: {}", message(&output));
            fs::remove_dir_all(self.at("s")).expect("it is there");
            assert!(run("cp", &["-a", &self.text("pristine"), &self.text("s")]), "a copy");
        }
        panic!("{context}: no crash leaves such a state");
    }

    /// Returns what readers see of the root.
    pub(crate) fn seen(&self) -> Tree {
        let is_own = |path: &Path| path.iter().any(|name| name.to_string_lossy().starts_with(".onionskin"));
        ground::read(&self.at("s")).into_iter().filter(|(path, _)| !is_own(path)).collect()
    }

    pub(crate) fn content(&self, path: &str) -> String {
        fs::read_to_string(self.at(path)).unwrap_or_else(|error| error.kind().to_string())
    }

    /// Returns the names of own entries beside those of others.
    pub(crate) fn left(&self) -> Vec<PathBuf> {
        let is_own =
            |path: &Path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(".onionskin-"));
        let control = Path::new(".onionskin");
        ground::read(&self.at("s")).into_keys().filter(|path| !path.starts_with(control) && is_own(path)).collect()
    }

    /// Asserts that a path that is no part of the change can be changed.
    pub(crate) fn is_usable(&self, context: &str) {
        ground::write(&self.at("x"), "x");
        let output = self.onionskin(&["replace", "s", "other/x", "--from", "x"]);
        assert!(output.status.success(), "{context}: {}", message(&output));
        let output = self.onionskin(&["inspect", "s"]);
        assert!(output.status.success(), "{context}: {}", message(&output));
    }

    /// Asserts that the root holds the new content and no record but generations, and what was kept of others.
    pub(crate) fn is_complete(&self, context: &str) {
        let output = self.onionskin(&["recover", "s"]);
        assert!(output.status.success(), "{context}: {}", message(&output));
        let contents = ["s/conf/a", "s/conf/b", "s/conf/sub/c", "s/other/x"].map(|path| self.content(path));
        assert_eq!(contents, ["new", "new", "kept", "x"], "{context}");
        let control = fs::read_dir(self.at("s/.onionskin")).map(|entries| entries.flatten().collect::<Vec<_>>());
        for entry in control.unwrap_or_default() {
            let name = entry.file_name().to_string_lossy().into_owned();
            assert!(name == "directories" || name.starts_with("quarantine-"), "{context}: {name} is left");
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        while let Some(at) = self.mounts.pop() {
            run("chattr", &["-R", "-f", "-i", "-a", at.to_str().unwrap_or_default()]);
            run("umount", &["--lazy", at.to_str().unwrap_or_default()]);
        }
    }
}

/// Returns a cache of compiled code that belongs to a user.
pub(crate) fn cache(user: u32) -> PathBuf {
    let cache = ground::cache().with_extension(user.to_string());
    fs::create_dir_all(&cache).expect("a directory");
    chown(&cache, Some(user), Some(user)).expect("root gives files away");
    cache
}

/// Returns what a command printed about a failure.
pub(crate) fn message(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).trim().to_owned()
}

pub(crate) fn mode(place: &Place, path: &str, mode: u32) {
    fs::set_permissions(place.at(path), fs::Permissions::from_mode(mode)).expect("root changes modes");
}

pub(crate) fn chattr(place: &Place, how: &str, path: &str) -> bool {
    run("chattr", &[how, &place.text(path)])
}

/// Entries keep their attributes where a change has moved them.
pub(crate) fn mutable(place: &mut Place) {
    // It fails at links, which have none.
    run("chattr", &["-R", "-f", "-i", "-a", &place.text("s")]);
}

pub(crate) fn writable(place: &mut Place) {
    assert!(run("chmod", &["-R", "u+w", &place.text("s")]), "root changes modes");
}

pub(crate) fn unmount(place: &mut Place) {
    place.unmount();
}
