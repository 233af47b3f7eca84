//! Obstacles that a real kernel puts in the way, before a decision and after it: a change is done or refused as a whole,
//! everything else can be changed meanwhile, and when the obstacle is gone, the next open completes what was decided.
//!
//! Mounts, immutable entries and other users take root; without it each test reports that it is skipped.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tempfile::TempDir;

use crate::ground::{self, Tree};

/// A user without rights of its own.
const USER: u32 = 12345;

const PUBLISH: [&str; 3] = ["in-place", "swap", "pointer"];

/// More calls than a change makes before its decision.
const CALLS_MAX: usize = 200;

/// More than the time between two ticks of the clock of a kernel.
const TICK: Duration = Duration::from_millis(20);

/// A filesystem of its own, with the root `s` and new content in `n`.
struct Place {
    directory: TempDir,
    /// What is mounted, the newest last.
    mounts: Vec<PathBuf>,
    user: Option<u32>,
}

/// A filesystem, and how it is made and mounted.
struct Kind {
    make: &'static [&'static str],
    options: &'static str,
    mebibytes: u64,
}

const EXT4: Kind = Kind { make: &["mkfs.ext4", "-q", "-F"], options: "loop", mebibytes: 16 };
const BTRFS: Kind = Kind { make: &["mkfs.btrfs", "-q", "-f"], options: "loop", mebibytes: 128 };

fn run(program: &str, arguments: &[&str]) -> bool {
    Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success())
}

impl Place {
    /// Makes and mounts a filesystem, or reports that it cannot.
    fn new(kind: &Kind, user: Option<u32>) -> Option<Self> {
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
    fn mount(&mut self, arguments: &[&str], at: &str) -> bool {
        let at = self.directory.path().join(at);
        let mounted = run("mount", &[arguments, &[at.to_str().expect("a plain path")]].concat());
        if mounted {
            self.mounts.push(at);
        }
        mounted
    }

    /// Unmounts what was mounted last. A mount point moves with the directory that holds it.
    fn unmount(&mut self) {
        self.mounts.pop().expect("something is mounted");
        let root = self.text("s/");
        let mounted = fs::read_to_string("/proc/self/mounts").expect("the kernel lists what is mounted");
        let places = mounted.lines().filter_map(|line| line.split(' ').nth(1));
        for at in places.filter(|at| at.starts_with(&root)) {
            assert!(run("umount", &[at]), "{at} can be unmounted");
        }
    }

    fn at(&self, path: &str) -> PathBuf {
        self.directory.path().join("mounted").join(path)
    }

    fn text(&self, path: &str) -> String {
        self.at(path).to_str().expect("a plain path").to_owned()
    }

    /// Gives the root and all in it to the user of the place.
    fn give(&self) {
        let owner = self.user.unwrap_or_default();
        assert!(run("chown", &["-R", &format!("{owner}:{owner}"), &self.text("s")]), "root gives files away");
    }

    /// Runs the program in the place, as its user.
    fn onionskin(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_onionskin"));
        command.args(arguments).current_dir(self.at("")).env("ONIONSKIN_CACHE_DIR", ground::cache());
        if let Some(user) = self.user {
            command.uid(user).gid(user).env("ONIONSKIN_CACHE_DIR", cache(user));
        }
        command.output().expect("the program starts")
    }

    fn put(&self, options: &[&str], publish: &str) -> Output {
        let change = ["put-dir", "s", "conf", "--from", "n", "--publish", publish];
        self.onionskin(&[options, &change[..]].concat())
    }

    /// Leaves the root as a crash after the decision does, with every path in its place.
    fn decide(&self, publish: &str, context: &str) {
        // The directory that is published has no name for a moment, and another entry in its place then.
        self.crash(publish, context, |place| {
            place.at("s/.onionskin/log").exists() && place.content("s/conf/b") == "old"
        });
    }

    /// Leaves the root in a state that a crash of a change leaves.
    fn crash(&self, publish: &str, context: &str, is_wanted: impl Fn(&Self) -> bool) {
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
    fn seen(&self) -> Tree {
        let is_own = |path: &Path| path.iter().any(|name| name.to_string_lossy().starts_with(".onionskin"));
        ground::read(&self.at("s")).into_iter().filter(|(path, _)| !is_own(path)).collect()
    }

    fn content(&self, path: &str) -> String {
        fs::read_to_string(self.at(path)).unwrap_or_else(|error| error.kind().to_string())
    }

    /// Asserts that a path that is no part of the change can be changed.
    fn is_usable(&self, context: &str) {
        ground::write(&self.at("x"), "x");
        let output = self.onionskin(&["replace", "s", "other/x", "--from", "x"]);
        assert!(output.status.success(), "{context}: {}", message(&output));
        let output = self.onionskin(&["inspect", "s"]);
        assert!(output.status.success(), "{context}: {}", message(&output));
    }

    /// Asserts that the root holds the new content and no record but generations, and what was kept of others.
    fn is_complete(&self, context: &str) {
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
fn cache(user: u32) -> PathBuf {
    let cache = ground::cache().with_extension(user.to_string());
    fs::create_dir_all(&cache).expect("a directory");
    chown(&cache, Some(user), Some(user)).expect("root gives files away");
    cache
}

fn message(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).trim().to_owned()
}

/// An obstacle, how it is put in the way and taken out of it.
struct Obstacle {
    name: &'static str,
    kind: &'static Kind,
    user: Option<u32>,
    stand: fn(&mut Place) -> bool,
    go: fn(&mut Place),
}

impl Obstacle {
    const fn new(name: &'static str, stand: fn(&mut Place) -> bool, go: fn(&mut Place)) -> Self {
        Self { name, kind: &EXT4, user: None, stand, go }
    }

    const fn of_user(self) -> Self {
        Self { user: Some(USER), ..self }
    }

    const fn on(self, kind: &'static Kind) -> Self {
        Self { kind, ..self }
    }

    /// Returns a place without the obstacle.
    fn place(&self) -> Option<Place> {
        Place::new(self.kind, self.user)
    }
}

fn mode(place: &Place, path: &str, mode: u32) {
    fs::set_permissions(place.at(path), fs::Permissions::from_mode(mode)).expect("root changes modes");
}

fn chattr(place: &Place, how: &str, path: &str) -> bool {
    run("chattr", &[how, &place.text(path)])
}

/// Entries keep their attributes where a change has moved them.
fn mutable(place: &mut Place) {
    // It fails at links, which have none.
    run("chattr", &["-R", "-f", "-i", "-a", &place.text("s")]);
}

fn writable(place: &mut Place) {
    assert!(run("chmod", &["-R", "u+w", &place.text("s")]), "root changes modes");
}

fn unmount(place: &mut Place) {
    place.unmount();
}

const OBSTACLES: &[Obstacle] = &[
    Obstacle::new(
        "a file is a mount point",
        |place| {
            ground::write(&place.at("h"), "old");
            let source = place.text("h");
            place.mount(&["--bind", &source], "mounted/s/conf/b")
        },
        unmount,
    ),
    Obstacle::new(
        "a directory below is a mount point",
        |place| {
            let source = place.text("s/conf/sub");
            place.mount(&["--bind", &source], "mounted/s/conf/sub")
        },
        unmount,
    ),
    Obstacle::new("a file is immutable", |place| chattr(place, "+i", "s/conf/b"), mutable),
    Obstacle::new("a file takes appends alone", |place| chattr(place, "+a", "s/conf/b"), mutable),
    Obstacle::new("the root takes appends alone", |place| chattr(place, "+a", "s"), mutable),
    Obstacle::new("a directory is immutable", |place| chattr(place, "+i", "s/conf"), mutable),
    Obstacle::new("a directory below is immutable", |place| chattr(place, "+i", "s/conf/sub"), mutable),
    Obstacle::new(
        "a file of another user is in a sticky directory",
        |place| {
            mode(place, "s/conf", 0o1777);
            for path in ["s/conf", "s/conf/b"] {
                chown(place.at(path), Some(0), Some(0)).expect("root takes files");
            }
            true
        },
        |place| place.give(),
    )
    .of_user(),
    Obstacle::new(
        "a directory may not be written",
        |place| {
            mode(place, "s/conf", 0o555);
            true
        },
        writable,
    )
    .of_user(),
    Obstacle::new(
        "a directory below may not be written",
        |place| {
            mode(place, "s/conf/sub", 0o555);
            true
        },
        writable,
    )
    .of_user(),
    Obstacle::new(
        "a directory below belongs to another user",
        |place| {
            chown(place.at("s/conf/sub"), Some(0), Some(0)).expect("root takes files");
            true
        },
        |place| place.give(),
    )
    .of_user(),
    Obstacle::new(
        "a directory below is a subvolume",
        |place| {
            fs::remove_dir_all(place.at("s/conf/sub")).expect("it is there");
            let made = run("btrfs", &["subvolume", "create", &place.text("s/conf/sub")]);
            ground::write(&place.at("s/conf/sub/c"), "kept");
            made
        },
        |place| {
            // A swap leaves it behind, with the old directory.
            run("btrfs", &["subvolume", "delete", &place.text("s/conf/sub")]);
            ground::write(&place.at("s/conf/sub/c"), "kept");
        },
    )
    .on(&BTRFS),
];

/// Runs a check for each obstacle and each way to publish; what cannot be set up here is told.
fn each(check: impl Fn(&Obstacle, &str, &mut Place)) {
    for obstacle in OBSTACLES {
        for publish in PUBLISH {
            let Some(mut place) = obstacle.place() else { return };
            check(obstacle, publish, &mut place);
        }
    }
}

fn stands(obstacle: &Obstacle, place: &mut Place) -> bool {
    let stands = (obstacle.stand)(place);
    if !stands {
        ground::skip(&format!("{}: cannot be set up here", obstacle.name));
    }
    stands
}

/// An obstacle that stands before a change: it is done, or refused with a path and nothing changed; and done when the
/// obstacle is gone.
#[test]
fn an_obstacle_before_a_decision() {
    each(|obstacle, publish, place| {
        let context = format!("{}, {publish}", obstacle.name);
        if !stands(obstacle, place) {
            return;
        }
        let before = place.seen();
        let output = place.put(&[], publish);
        if output.status.success() {
            assert_eq!(["s/conf/a", "s/conf/b"].map(|path| place.content(path)), ["new", "new"], "{context}");
        } else {
            assert_eq!(ground::difference(&before, &place.seen()), ground::NONE, "{context}: {}", message(&output));
            assert!(message(&output).contains("conf"), "{context}: {}", message(&output));
        }
        assert_eq!(place.content("s/conf/sub/c"), "kept", "{context}");
        place.is_usable(&context);
        (obstacle.go)(place);
        if !output.status.success() {
            let output = place.put(&[], publish);
            assert!(output.status.success(), "{context}, when it is gone: {}", message(&output));
        }
        place.is_complete(&context);
    });
}

/// An obstacle that comes between a decision and its completion: the decision is parked or completed, everything else
/// can be changed, and the open after the obstacle is gone completes it.
#[test]
fn an_obstacle_after_a_decision() {
    each(|obstacle, publish, place| {
        let context = format!("{}, {publish}, decided", obstacle.name);
        place.decide(publish, &context);
        if !stands(obstacle, place) {
            return;
        }
        let output = place.onionskin(&["recover", "s"]);
        assert!(output.status.success(), "{context}: {}", message(&output));
        for path in ["s/conf/a", "s/conf/b"] {
            assert!(["old", "new"].contains(&place.content(path).as_str()), "{context}: {path}");
        }
        place.is_usable(&context);
        (obstacle.go)(place);
        place.is_complete(&context);
    });
}

/// A log that cannot be moved or removed: the root opens, single files can be written, a transaction is refused by name,
/// and when the log can be removed, the decision is complete.
#[test]
fn a_log_that_cannot_be_moved() {
    for publish in PUBLISH {
        let Some(mut place) = Place::new(&EXT4, None) else { return };
        place.decide(publish, publish);
        if !chattr(&place, "+i", "s/.onionskin/log") {
            return ground::skip("entries cannot be made immutable here");
        }
        for time in ["first", "second"] {
            let output = place.onionskin(&["recover", "s"]);
            assert!(output.status.success(), "{publish}, the {time} time: {}", message(&output));
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(text.contains("parked") && text.contains(".onionskin/log"), "{publish}, the {time} time: {text}");
        }
        place.is_usable(publish);
        let output = place.onionskin(&["put-dir", "s", "other", "--from", "n"]);
        let text = message(&output);
        assert!(!output.status.success() && text.contains(".onionskin/log") && text.contains("--abandon"), "{text}");
        mutable(&mut place);
        place.is_complete(publish);
    }
}

/// A swap that stopped between its renames, and whose new directory cannot be moved: the former one is back at its name
/// until the obstacle is gone.
#[test]
fn a_directory_without_a_name_gets_the_former_one_back() {
    for publish in ["swap", "pointer"] {
        let Some(mut place) = Place::new(&EXT4, None) else { return };
        place.crash(publish, publish, |place| !place.at("s/conf").exists());
        let new = if publish == "swap" { "s/.onionskin-1.new" } else { "s" };
        let how = if publish == "swap" { "+i" } else { "+a" };
        if !chattr(&place, how, new) {
            return ground::skip("entries cannot be made immutable here");
        }
        let output = place.onionskin(&["recover", "s"]);
        assert!(output.status.success(), "{publish}: {}", message(&output));
        if publish == "swap" {
            assert_eq!(place.content("s/conf/b"), "old", "{publish}");
        }
        place.is_usable(publish);
        mutable(&mut place);
        place.is_complete(publish);
    }
}

/// A file that others change between a crash and its recovery: the decision is completed, and their file is kept in a
/// place that the answer names.
#[test]
fn a_file_that_others_change_after_a_crash_is_kept() {
    for publish in PUBLISH {
        let Some(place) = Place::new(&EXT4, None) else { return };
        place.crash(publish, publish, |place| {
            place.at("s/.onionskin/log").exists() && place.content("s/conf/b") == "old"
        });
        // Times of files move on in ticks.
        std::thread::sleep(TICK);
        ground::write(&place.at("s/conf/b"), "the work of others");
        let output = place.onionskin(&["recover", "s"]);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{publish}: {}", message(&output));
        assert_eq!(["s/conf/a", "s/conf/b"].map(|path| place.content(path)), ["new", "new"], "{publish}: {text}");
        let kept = text.split_whitespace().find(|word| word.contains("quarantine-")).expect("a place is named");
        let kept = if publish == "in-place" { kept.to_owned() } else { format!("{kept}/b") };
        assert_eq!(place.content(&format!("s/{kept}")), "the work of others", "{publish}: {text}");
    }
}

/// Directories of a lower layer of overlayfs, which cannot be renamed: published, or refused with nothing changed.
#[test]
fn a_directory_of_a_lower_layer_of_overlayfs() {
    for publish in PUBLISH {
        let Some(mut place) = Place::new(&EXT4, None) else { return };
        for name in ["upper", "work"] {
            fs::create_dir(place.at(name)).expect("a new directory");
        }
        fs::rename(place.at("s"), place.at("lower")).expect("another name");
        fs::create_dir(place.at("s")).expect("a new directory");
        let (lower, upper, work) = (place.text("lower"), place.text("upper"), place.text("work"));
        let layers = format!("lowerdir={lower},upperdir={upper},workdir={work}");
        if !place.mount(&["-t", "overlay", "-o", &layers, "overlay"], "mounted/s") {
            return ground::skip("overlayfs cannot be mounted here");
        }
        let before = place.seen();
        let output = place.put(&[], publish);
        let state = ["s/conf/a", "s/conf/b"].map(|path| place.content(path));
        if output.status.success() {
            assert_eq!(state, ["new", "new"], "{publish}");
        } else {
            assert_eq!(ground::difference(&before, &place.seen()), ground::NONE, "{publish}: {}", message(&output));
        }
        assert_eq!(output.status.success(), publish == "in-place", "{publish}: {}", message(&output));
        place.is_usable(publish);
    }
}

/// A workspace whose upper is on another filesystem commits and forks.
#[test]
fn a_workspace_on_another_filesystem() {
    let Some(mut place) = Place::new(&EXT4, None) else { return };
    fs::create_dir(place.at("memory")).expect("a new directory");
    if !place.mount(&["-t", "tmpfs", "tmpfs"], "mounted/memory") {
        return ground::skip("tmpfs cannot be mounted here");
    }
    for arguments in [
        &["workspace", "create", "memory/u", "--lower", "s"][..],
        &["workspace", "put", "memory/u", "conf/a", "--from", "n/a"],
        &["workspace", "fork", "memory/u", "second"],
        &["workspace", "commit", "memory/u", "--into", "s", "--yes"],
    ] {
        let output = place.onionskin(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", message(&output));
    }
    assert_eq!(["s/conf/a", "s/conf/b"].map(|path| place.content(path)), ["new", "old"]);
}

/// With fewer and fewer descriptors a change is done, or refused with nothing changed and a sentence about it.
#[test]
fn few_descriptors() {
    let Some(place) = Place::new(&EXT4, None) else { return };
    let program = env!("CARGO_BIN_EXE_onionskin");
    PUBLISH.iter().for_each(|publish| ground::write(&place.at(format!("s/{publish}/a").as_str()), "old"));
    let (mut refused, mut done) = (0, 0);
    // With fewer no program starts.
    for limit in 5..40 {
        for publish in PUBLISH {
            let before = place.seen();
            let content = format!("content with {limit}");
            ground::write(&place.at("n/a"), &content);
            let change = format!("ulimit -n {limit}; exec {program} put-dir s {publish} --from n --publish {publish}");
            let shell = Command::new("sh").args(["-c", &change]).current_dir(place.at("")).output();
            let output = shell.expect("a shell starts");
            if output.status.success() {
                done += 1;
                assert_eq!(place.content(&format!("s/{publish}/a")), content, "{limit}, {publish}");
            } else {
                refused += 1;
                let after = place.seen();
                assert_eq!(ground::difference(&before, &after), ground::NONE, "{limit}: {}", message(&output));
                assert_eq!(output.status.code(), Some(1), "{limit}: {}", message(&output));
                assert!(message(&output).contains("Too many open files"), "{limit}: {}", message(&output));
            }
        }
    }
    assert!(refused > 0 && done > 0, "{refused} refused, {done} done");
    place.is_usable("few descriptors");
}
