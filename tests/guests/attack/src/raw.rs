//! Imports of the filesystem in two versions, beside the one of the standard library.

#[allow(clippy::all)]
mod bindings {
    wit_bindgen::generate!({
        inline: "
            package onionskin:attack;

            world attack {
                import wasi:filesystem/types@0.2.1;
                import wasi:filesystem/preopens@0.2.1;
                import wasi:filesystem/types@0.2.3;
                import wasi:filesystem/preopens@0.2.3;
            }

            package wasi:filesystem@0.2.1 {
                interface types {
                    enum error-code {
                        access, would-block, already, bad-descriptor, busy, deadlock, quota, exist, file-too-large,
                        illegal-byte-sequence, in-progress, interrupted, invalid, io, is-directory, loop,
                        too-many-links, message-size, name-too-long, no-device, no-entry, no-lock,
                        insufficient-memory, insufficient-space, not-directory, not-empty, not-recoverable,
                        unsupported, no-tty, no-such-device, overflow, not-permitted, pipe, read-only, invalid-seek,
                        text-file-busy, cross-device,
                    }
                    flags path-flags { symlink-follow }
                    flags open-flags { create, directory, exclusive, truncate }
                    flags descriptor-flags {
                        read, write, file-integrity-sync, data-integrity-sync, requested-write-sync, mutate-directory,
                    }
                    resource descriptor {
                        open-at: func(
                            path-flags: path-flags, path: string, open-flags: open-flags, %flags: descriptor-flags
                        ) -> result<descriptor, error-code>;
                        write: func(buffer: list<u8>, offset: u64) -> result<u64, error-code>;
                    }
                }
                interface preopens {
                    use types.{descriptor};
                    get-directories: func() -> list<tuple<descriptor, string>>;
                }
            }

            package wasi:filesystem@0.2.3 {
                interface types {
                    enum error-code {
                        access, would-block, already, bad-descriptor, busy, deadlock, quota, exist, file-too-large,
                        illegal-byte-sequence, in-progress, interrupted, invalid, io, is-directory, loop,
                        too-many-links, message-size, name-too-long, no-device, no-entry, no-lock,
                        insufficient-memory, insufficient-space, not-directory, not-empty, not-recoverable,
                        unsupported, no-tty, no-such-device, overflow, not-permitted, pipe, read-only, invalid-seek,
                        text-file-busy, cross-device,
                    }
                    flags path-flags { symlink-follow }
                    flags open-flags { create, directory, exclusive, truncate }
                    flags descriptor-flags {
                        read, write, file-integrity-sync, data-integrity-sync, requested-write-sync, mutate-directory,
                    }
                    resource descriptor {
                        open-at: func(
                            path-flags: path-flags, path: string, open-flags: open-flags, %flags: descriptor-flags
                        ) -> result<descriptor, error-code>;
                        write: func(buffer: list<u8>, offset: u64) -> result<u64, error-code>;
                    }
                }
                interface preopens {
                    use types.{descriptor};
                    get-directories: func() -> list<tuple<descriptor, string>>;
                }
            }
        ",
        generate_all,
    });
}

/// The map of a workspace.
const MAP: &str = ".onionskin/workspace/map";

/// Tries to write the map of every workspace by both versions; prints the result of each.
macro_rules! try_version {
    ($version:literal, $module:ident) => {{
        use bindings::wasi::$module::preopens::get_directories;
        use bindings::wasi::$module::types::{DescriptorFlags, OpenFlags, PathFlags};
        for (directory, name) in get_directories() {
            println!("{} sees {name}", $version);
            let flags = (PathFlags::empty(), OpenFlags::empty(), DescriptorFlags::READ | DescriptorFlags::WRITE);
            match directory.open_at(flags.0, MAP, flags.1, flags.2) {
                Ok(map) => println!("{} writes the map of {name}: {:?}", $version, map.write(b"forged", 0).is_ok()),
                Err(error) => println!("{} does not open the map of {name}: {}", $version, error.name()),
            }
        }
    }};
}

pub(crate) fn write_maps() {
    try_version!("0.2.1", filesystem0_2_1);
    try_version!("0.2.3", filesystem0_2_3);
}
