//! Programs that try to escape from their layer.

use std::fs;

use crate::ground::{Ground, link, put};
use crate::guests::program;
use crate::trial::{Said, Trial as _, as_data, onionskin, written};

/// A tree with links that lead out of it, beside their targets.
fn ground() -> Ground {
    let ground = Ground::new(|top, base| {
        put(top, "file", "of the topmost");
        put(base, "dir/below", "of the one below");
        link(top, "link-out", "..");
        link(top, "link-absolute", "/etc");
    });
    for place in ["secret", "outside"] {
        fs::write(ground.at(place), "nobody's business").expect("a writable directory");
    }
    ground
}

fn attack(ground: &Ground, more: &[&str], arguments: &[&str]) -> Option<Said> {
    Some(ground.layered(more, &program("attack")?, arguments))
}

/// An escape by imports: a program imports the filesystem in several versions. A layer behind one of them would leave
/// the others to the host, with the records of the workspace. All of them show the layer.
#[test]
fn a_program_that_imports_the_filesystem_twice_sees_the_layer_by_all() {
    let ground = ground();
    let Some(said) = attack(&ground, &[], &["raw"]) else { return };
    assert_eq!(said.code, Some(0), "{}", said.err);
    let sees = ["0.2.1", "0.2.3"]
        .map(|version| format!("{version} sees /data\n{version} does not open the map of /data: no-entry\n"));
    assert_eq!(said.out, sees.concat(), "{}", said.err);
    ground.assert_lowers_stay();
    // Without the layer it would see its grants, twice.
    let plain = ground.plain(&program("attack").expect("it was built"), &["raw"]);
    assert_eq!(plain.out, sees.concat(), "{}", plain.err);
}

/// Every other import from the package is refused by name: an interface that the layer does not export, an unknown
/// version, another type, and a name like that of the layer itself.
#[test]
fn a_program_that_imports_more_of_the_filesystem_than_the_layer_has_is_refused() {
    let ground = ground();
    for (import, of_type) in [
        ("wasi:filesystem/preopens@0.3.0", ""),
        ("wasi:filesystem/preopens@0.2.0-rc-2023-11-10", ""),
        ("wasi:filesystem/preopens", ""),
        ("wasi:filesystem/another@0.2.12", ""),
        ("wasi:filesystem/preopens@0.2.1", r#"(export "another" (func))"#),
    ] {
        let text = format!(r#"(component (import "{import}" (instance {of_type})))"#);
        let program = written(&ground, "program.wasm", &text);
        let said = ground.layered(&[], &program, &[]);
        assert_eq!(said.code, Some(1), "{import}: {}", said.err);
        assert!(said.err.contains(&format!("it imports {import}, and all of wasi:filesystem")), "{}", said.err);
    }
    let guessed = r#"(component (import "onionskin:layer/p00" (instance (export "get-directories" (func)))))"#;
    let said = ground.layered(&[], &written(&ground, "program.wasm", guessed), &[]);
    assert_eq!(said.code, Some(1), "{}", said.err);
    assert!(said.err.contains("onionskin:layer/p00"), "{}", said.err);
}

/// Paths, links and the names of the layer's own records, in every case: nothing outside is read or written, and files
/// written under these names inside are content of the layer.
#[test]
fn no_path_leads_out_of_the_layer() {
    let ground = ground();
    let before = fs::read("/etc/passwd").expect("it can be read");
    let Some(said) = attack(&ground, &[], &["names", "/data"]) else { return };
    assert_eq!((said.code, said.out.as_str()), (Some(0), ""), "{}", said.err);
    ground.assert_lowers_stay();
    assert_eq!(fs::read("/etc/passwd").expect("it can be read"), before);
    for place in ["secret", "outside"] {
        assert_eq!(fs::read(ground.at(place)).expect("it is there"), b"nobody's business", "{place}");
    }
    let changes = onionskin(["workspace".as_ref(), "changes".as_ref(), ground.at("upper").as_os_str()]);
    assert_eq!(changes.out, "added  moved-on\nadded  own       to ../secret\n", "{}", changes.err);
}

/// Pipes and devices are opened neither in a lower nor in a plain directory: opening a pipe without a writer would
/// block.
#[test]
fn pipes_and_devices_are_not_opened() {
    let Some(program) = program("attack") else { return };
    let ground = ground();
    let special = ground.at("special");
    put(&special, "file", "content");
    rustix::fs::mknodat(rustix::fs::CWD, special.join("pipe"), rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0)
        .expect("a writable directory");
    link(&special, "to-pipe", "pipe");
    let _socket = std::os::unix::net::UnixListener::bind(special.join("socket")).expect("a writable directory");
    let (program, given) = (program.to_str().expect("a plain name"), as_data(&special));
    for how in ["--dir", "--lower"] {
        let said = onionskin(["run", how, &given, "--timeout", "60s", program, "special", "/data"]);
        let lines: Vec<_> = said.out.lines().collect();
        assert_eq!((said.code, lines.len(), lines[0]), (Some(0), 4, "file Ok(\"opened\")"), "{said:?}");
        assert!(lines[1..].iter().all(|line| line.ends_with(" Err(PermissionDenied)")), "{how}: {said:?}");
    }
}
