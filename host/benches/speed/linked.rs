//! The alternative to composition: the overlay is instantiated beside the program in one store, and the linker binds
//! each of its exported functions to an import of the program. It is compared with composition and used nowhere else:
//! see "Composition or linking" in `docs/speed.md`.
//!
//! The linker cannot pass a resource of one component to another: it accepts resources of the host only. So a
//! descriptor of the overlay is held here, and the program has a number that stands for it.

use std::path::Path;

use onionskin_host::OVERLAY;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Func, Instance, Linker, Resource, ResourceAny, ResourceTable, ResourceType, Val};
use wasmtime::{AsContextMut as _, Config, Engine, Store, StoreContextMut};
use wasmtime_wasi::p2::bindings::sync::Command;
use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

use crate::Result;

/// The interfaces that the overlay exports and the program imports.
const INTERFACES: [&str; 2] = ["wasi:filesystem/types@0.2.12", "wasi:filesystem/preopens@0.2.12"];

/// As in the host: an interpreter needs a larger stack than the default.
const STACK_BYTES: usize = 8 << 20;

/// Stands for a descriptor of the overlay.
struct Descriptor;
/// Stands for one of its streams of entries.
struct Entries;

struct Machine {
    wasi: WasiCtx,
    table: ResourceTable,
    /// The types of the overlay's resources.
    types: Option<[ResourceType; 2]>,
    /// The resources that programs know by number.
    held: Vec<Option<ResourceAny>>,
}

impl WasiView for Machine {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

/// A program and the overlay, compiled separately.
pub(crate) struct Linked {
    engine: Engine,
    program: Component,
    overlay: Component,
}

impl Linked {
    pub(crate) fn compile(program: &Path) -> Result<Self> {
        let mut config = Config::new();
        config.wasm_component_model(true).max_wasm_stack(STACK_BYTES).async_stack_size(2 * STACK_BYTES);
        let engine = Engine::new(&config)?;
        let program = Component::new(&engine, std::fs::read(program)?)?;
        let overlay = Component::new(&engine, OVERLAY)?;
        Ok(Self { engine, program, overlay })
    }

    /// Starts the program with these directories, of which the second is that in the program.
    pub(crate) fn run(&self, grants: &[(&Path, &str)], arguments: &[&str]) -> Result<()> {
        let mut wasi = WasiCtxBuilder::new();
        wasi.allow_blocking_current_thread(true).inherit_stdio().arg("program").args(arguments);
        for (host, guest) in grants {
            let perms = if guest.contains("#lower") { FsPerms::ReadOnly } else { FsPerms::ReadWrite };
            wasi.preopened_dir(host, *guest, perms)?;
        }
        let machine = Machine { wasi: wasi.build(), table: ResourceTable::new(), types: None, held: Vec::new() };
        let mut store = Store::new(&self.engine, machine);
        let mut linker = Linker::new(&self.engine);
        wasmtime_wasi::p2::add_to_linker_sync(&mut linker)?;
        let overlay = linker.instantiate(&mut store, &self.overlay)?;
        self.bind(&mut linker, &mut store, &overlay)?;
        let command = Command::instantiate(&mut store, &self.program, &linker)?;
        command.wasi_cli_run().call_run(&mut store)?.map_err(|()| "the program failed".into())
    }

    /// Binds the exports of the overlay over those of the host with the same names.
    fn bind(&self, linker: &mut Linker<Machine>, store: &mut Store<Machine>, overlay: &Instance) -> Result<()> {
        linker.allow_shadowing(true);
        for (name, item) in self.overlay.component_type().exports(&self.engine) {
            let ComponentItem::ComponentInstance(interface) = item.ty else { continue };
            if !INTERFACES.contains(&name) {
                continue;
            }
            let index = overlay.get_export_index(&mut *store, None, name).ok_or("the overlay exports it")?;
            let mut bound = linker.instance(name)?;
            for (name, item) in interface.exports(&self.engine) {
                let ComponentItem::ComponentFunc(_) = item.ty else { continue };
                let index = overlay.get_export_index(&mut *store, Some(&index), name).ok_or("it is exported")?;
                let func = overlay.get_func(&mut *store, index).ok_or("it is a function")?;
                bound.func_new(name, move |store, _, given, answer| call(store, &func, given, answer))?;
            }
            if name == INTERFACES[0] {
                let mut own = |name| -> Result<ResourceType> {
                    let index = overlay.get_export_index(&mut *store, Some(&index), name).ok_or("it is exported")?;
                    Ok(overlay.get_resource(&mut *store, index).ok_or("it is a resource")?)
                };
                let types = [own("descriptor")?, own("directory-entry-stream")?];
                store.data_mut().types = Some(types);
                bound.resource("descriptor", ResourceType::host::<Descriptor>(), dropped)?;
                bound.resource("directory-entry-stream", ResourceType::host::<Entries>(), dropped)?;
            }
        }
        Ok(())
    }
}

/// Drops the overlay's resource when the program drops its number.
fn dropped(mut store: StoreContextMut<'_, Machine>, number: u32) -> wasmtime::Result<()> {
    match store.data_mut().held.get_mut(number as usize).and_then(Option::take) {
        Some(held) => held.resource_drop(store),
        None => Ok(()),
    }
}

/// Calls the overlay for the program.
fn call(
    mut store: StoreContextMut<'_, Machine>,
    func: &Func,
    given: &[Val],
    answer: &mut [Val],
) -> wasmtime::Result<()> {
    let given = given.iter().map(|value| to_overlay(&mut store, value)).collect::<wasmtime::Result<Vec<_>>>()?;
    func.call(&mut store, &given, answer)?;
    answer.iter_mut().try_for_each(|value| to_program(&mut store, value))
}

/// In this interface a resource is an argument of its own, and never part of another.
fn to_overlay(store: &mut StoreContextMut<'_, Machine>, value: &Val) -> wasmtime::Result<Val> {
    let Val::Resource(resource) = value else { return Ok(value.clone()) };
    let number = if resource.ty() == ResourceType::host::<Descriptor>() {
        resource.try_into_resource::<Descriptor>(store.as_context_mut())?.rep()
    } else if resource.ty() == ResourceType::host::<Entries>() {
        resource.try_into_resource::<Entries>(store.as_context_mut())?.rep()
    } else {
        return Ok(value.clone());
    };
    let held = store.data().held.get(number as usize).copied().flatten();
    held.map(Val::Resource).ok_or_else(|| wasmtime::Error::msg("the program has no such number"))
}

/// In results, resources may be anywhere but in bytes.
fn to_program(store: &mut StoreContextMut<'_, Machine>, value: &mut Val) -> wasmtime::Result<()> {
    match value {
        Val::Resource(resource) => {
            let [descriptor, entries] = store.data().types.expect("they are known before anything is called");
            let ty = resource.ty();
            if ty != descriptor && ty != entries {
                return Ok(());
            }
            let held = &mut store.data_mut().held;
            let number = held.len() as u32;
            held.push(Some(*resource));
            *resource = if ty == descriptor {
                Resource::<Descriptor>::new_own(number).try_into_resource_any(store.as_context_mut())?
            } else {
                Resource::<Entries>::new_own(number).try_into_resource_any(store.as_context_mut())?
            };
            Ok(())
        }
        Val::List(values) if !matches!(values.first(), Some(Val::U8(_))) => {
            values.iter_mut().try_for_each(|value| to_program(store, value))
        }
        Val::Tuple(values) => values.iter_mut().try_for_each(|value| to_program(store, value)),
        Val::Result(Ok(Some(value))) => to_program(store, value),
        _ => Ok(()),
    }
}
