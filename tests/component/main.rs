//! The built components: the imports and the sizes.

use std::collections::BTreeMap;

use onionskin_host::{COMPONENT, OVERLAY};
use wasmparser::{Parser, Payload};
use wasmtime::component::Component;
use wasmtime::component::types::ComponentItem;
use wasmtime::{Config, Engine};

/// The most bytes that the released component may have: 512 KiB.
const SIZE_MAX: usize = 512 << 10;
/// The most bytes that the released overlay may have: 336 KiB.
const OVERLAY_SIZE_MAX: usize = 336 << 10;

/// Returns the functions that the component imports, by interface.
fn imports() -> BTreeMap<String, Vec<String>> {
    let engine = Engine::new(&Config::new()).expect("the default configuration is valid");
    let component = Component::new(&engine, COMPONENT).expect("the embedded component compiles");
    let mut imports = BTreeMap::new();
    for (name, item) in component.component_type().imports(&engine) {
        let ComponentItem::ComponentInstance(instance) = item.ty else {
            panic!("{name} is not an interface: the component imports interfaces only");
        };
        let mut functions = Vec::new();
        for (export, item) in instance.exports(&engine) {
            if let ComponentItem::ComponentFunc(_) = item.ty {
                functions.push(export.to_owned());
            }
        }
        functions.sort();
        imports.insert(name.to_owned(), functions);
    }
    imports
}

/// The component reads no clock, environment, random numbers or network: every function that it imports belongs to the
/// filesystem. `wall-clock` gives a type only, for the times in a stat.
#[test]
fn it_imports_a_filesystem_and_nothing_else() {
    let imports = imports();
    let names: Vec<&str> = imports.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        ["wasi:clocks/wall-clock@0.2.12", "wasi:filesystem/preopens@0.2.12", "wasi:filesystem/types@0.2.12"]
    );
    assert_eq!(imports["wasi:clocks/wall-clock@0.2.12"], [""; 0]);
    assert_eq!(imports["wasi:filesystem/preopens@0.2.12"], ["get-directories"]);
}

/// The component cannot change the times of a file or open a stream for writing, since it imports no such call. The call
/// that sets a length is for files of a workspace, which the monitor of the simulated filesystem watches.
#[test]
fn it_imports_no_call_that_it_does_not_need() {
    let used = [
        "[method]descriptor.create-directory-at",
        "[method]descriptor.link-at",
        "[method]descriptor.metadata-hash",
        "[method]descriptor.open-at",
        "[method]descriptor.read",
        "[method]descriptor.read-directory",
        "[method]descriptor.readlink-at",
        "[method]descriptor.remove-directory-at",
        "[method]descriptor.rename-at",
        "[method]descriptor.set-size",
        "[method]descriptor.stat-at",
        "[method]descriptor.symlink-at",
        "[method]descriptor.sync",
        "[method]descriptor.unlink-file-at",
        "[method]descriptor.write",
        "[method]directory-entry-stream.read-directory-entry",
    ];
    assert_eq!(imports()["wasi:filesystem/types@0.2.12"], used);
}

/// Returns the length of a component without its custom sections, which its release does not have.
fn released(component: &[u8]) -> usize {
    let custom = |payload| match payload {
        Ok(Payload::CustomSection(section)) => section.data().len(),
        Ok(_) => 0,
        Err(error) => panic!("the embedded component is a component: {error}"),
    };
    component.len() - Parser::new(0).parse_all(component).map(custom).sum::<usize>()
}

/// Both components are small enough to be embedded anywhere.
#[test]
fn they_are_small() {
    for (name, component, limit) in [("component", COMPONENT, SIZE_MAX), ("overlay", OVERLAY, OVERLAY_SIZE_MAX)] {
        let bytes = released(component);
        println!("the {name} has {bytes} bytes of at most {limit}");
        assert!(bytes <= limit, "the {name} has {bytes} bytes of at most {limit}");
    }
}
