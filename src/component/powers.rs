//! The calls that a host lends beyond `wasi:filesystem`, in the build for such hosts.

#[allow(unsafe_code, missing_docs, unreachable_pub, clippy::all, clippy::unwrap_used)]
mod bindings {
    wit_bindgen::generate!({
        path: "wit",
        world: "powers",
        generate_all,
        with: {
            "wasi:filesystem/types@0.2.12": wasi::filesystem::types,
            "wasi:io/error@0.2.12": wasi::io::error,
            "wasi:io/poll@0.2.12": wasi::io::poll,
            "wasi:io/streams@0.2.12": wasi::io::streams,
            "wasi:clocks/wall-clock@0.2.12": wasi::clocks::wall_clock,
        },
    });
}

pub(super) use bindings::onionskin::fs::host_powers::{
    copy_attributes_at, create_private_directory_at, create_private_file_at, inherit_attributes_at, set_mode_at,
};
