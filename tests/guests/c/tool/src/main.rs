//! `bind c WORLD OUT` generates C for the world in a directory of WIT; `bind component MODULE OUT` makes a component of
//! the module that was compiled with it.

use std::env;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME as PREVIEW1, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER as ADAPTER,
};
use wit_bindgen_core::Files;
use wit_bindgen_core::wit_parser::Resolve;
use wit_component::ComponentEncoder;

fn main() -> Result<()> {
    let given: Vec<String> = env::args().skip(1).collect();
    match given.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["c", world, out] => bindings(Path::new(world), Path::new(out)),
        ["component", module, out] => {
            let module = fs::read(module).with_context(|| format!("cannot read {module}"))?;
            let component = ComponentEncoder::default().module(&module)?.adapter(PREVIEW1, ADAPTER)?.encode()?;
            fs::write(out, component).with_context(|| format!("cannot write {out}"))
        }
        _ => bail!("usage: bind c WORLD OUT, or bind component MODULE OUT"),
    }
}

fn bindings(world: &Path, out: &Path) -> Result<()> {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_path(world)?;
    let world = resolve.select_world(&[package], None)?;
    let mut files = Files::default();
    wit_bindgen_c::Opts::default().build().generate(&mut resolve, world, &mut files)?;
    for (name, content) in files.iter() {
        let place = out.join(name);
        fs::write(&place, content).with_context(|| format!("cannot write {}", place.display()))?;
    }
    Ok(())
}
