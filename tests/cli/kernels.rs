//! Obstacles that a real kernel puts in the way, before a decision and after it: a change is done or refused as a whole,
//! everything else can be changed meanwhile, and when the obstacle is gone, the next open completes what was decided.
//!
//! Mounts, immutable entries and other users take root; without it each test reports that it is skipped.

use std::fs;
use std::os::unix::fs::chown;
use std::process::Command;
use std::time::Duration;

use crate::ground;
use crate::place::{BTRFS, EXT4, Kind, PUBLISH, Place, chattr, message, mode, mutable, run, unmount, writable};

/// A user without rights of its own.
const USER: u32 = 12345;

/// More than the time between two ticks of the clock of a kernel.
const TICK: Duration = Duration::from_millis(20);

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
            assert!(place.left().is_empty(), "{context}: {:?}", place.left());
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

/// A prepared directory that others remove takes no place: the change is undone, and said to be.
#[test]
fn a_prepared_directory_that_others_remove_is_no_change() {
    let Some(place) = Place::new(&EXT4, None) else { return };
    place.decide("swap", "swap");
    fs::remove_dir_all(place.at("s/.onionskin-1.new")).expect("it is prepared");
    let output = place.onionskin(&["recover", "s"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && text.contains("was removed by others"), "{text}{}", message(&output));
    assert!(!text.contains("is complete"), "{text}");
    assert_eq!(["s/conf/a", "s/conf/b"].map(|path| place.content(path)), ["old", "old"], "{text}");
    place.is_usable("a prepared directory is gone");
    assert!(place.put(&[], "swap").status.success(), "a second attempt");
    place.is_complete("a second attempt");
}

/// A workspace whose map cannot be replaced: its commit is refused, and the lower is unchanged.
#[test]
fn a_commit_of_a_workspace_with_an_immutable_map_is_refused() {
    let Some(mut place) = Place::new(&EXT4, None) else { return };
    workspace(&place);
    for path in ["u/.onionskin/workspace/map", "u/.onionskin/workspace"] {
        let how = if path.ends_with("map") { "+i" } else { "+a" };
        if !chattr(&place, how, path) {
            return ground::skip("entries cannot be made immutable here");
        }
        let before = place.seen();
        let output = place.onionskin(&["workspace", "commit", "u", "--into", "s", "--yes"]);
        assert_eq!(output.status.code(), Some(1), "{path}: {}", message(&output));
        assert!(message(&output).contains("workspace/map"), "{path}: {}", message(&output));
        assert_eq!(ground::difference(&before, &place.seen()), ground::NONE, "{path}");
        assert!(run("chattr", &["-i", "-a", &place.text(path)]), "{path}");
    }
    let output = place.onionskin(&["workspace", "commit", "u", "--into", "s", "--yes"]);
    assert!(output.status.success(), "{}", message(&output));
    assert_eq!(place.content("s/conf/a"), "new");
    mutable(&mut place);
}

/// A commit that is decided and cannot be completed is not "nothing to do": a further one fails, and names it.
#[test]
fn a_commit_beside_its_parked_decision_says_so() {
    let Some(mut place) = Place::new(&EXT4, None) else { return };
    workspace(&place);
    let commit = ["workspace", "commit", "u", "--into", "s", "--yes"];
    let crashed = (1..100).any(|call| {
        let output = place.onionskin(&[&commit[..], &["--crash-at", &call.to_string()]].concat());
        assert_eq!(output.status.code(), Some(70), "{}", message(&output));
        place.at("s/.onionskin/log").exists()
    });
    assert!(crashed, "a crash leaves the decision");
    if !chattr(&place, "+i", "s/conf/a") {
        return ground::skip("entries cannot be made immutable here");
    }
    for time in ["first", "second"] {
        let output = place.onionskin(&commit);
        let text = message(&output);
        assert_eq!(output.status.code(), Some(1), "the {time} time: {text}");
        assert!(text.contains("conf/a") && text.contains("cannot be completed"), "the {time} time: {text}");
    }
    mutable(&mut place);
    let output = place.onionskin(&commit);
    assert!(output.status.success(), "{}", message(&output));
    place.onionskin(&["recover", "s"]);
    assert_eq!(place.content("s/conf/a"), "new");
}

/// Makes the workspace `u` over the root, with a change.
fn workspace(place: &Place) {
    for arguments in
        [&["workspace", "create", "u", "--lower", "s"][..], &["workspace", "put", "u", "conf/a", "--from", "n/a"]]
    {
        let output = place.onionskin(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", message(&output));
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
