//! Loads the component: it is compiled once for each user, and then read from a cache.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use wasmtime::component::Component;
use wasmtime::{Config, Engine, Instance, Module, Store};

use crate::Error;
use crate::bindings::Linked;
use crate::cache::{Cache, Entry, SUFFIX};
use crate::linkage::{Linkage, LinkageKey};
use crate::state::{Bounds, State};

/// The component that was built with this library, as it is released: it imports `wasi:filesystem` alone.
pub const COMPONENT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/onionskin.wasm"));

/// The same component, built for hosts that lend `onionskin:fs/host-powers`. This library runs it by default, so that
/// files keep their modes and owners.
pub const WITH_POWERS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/powers.wasm"));

/// The build that replaces `wasi:filesystem` for programs; see [`crate::run`].
pub const OVERLAY: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/overlay.wasm"));

/// The default maximum of memory for the component, in bytes. The component needs a few megabytes,
/// independent of the size of the files.
pub const MEMORY_BYTES_DEFAULT: usize = 256 << 20;

/// The loaded component, which can be started any number of times, each time for one root.
///
/// Cheap to clone, and can be shared between threads.
#[derive(Clone)]
pub struct Onionskin {
    loaded: Arc<Loaded>,
}

struct Loaded {
    engine: Engine,
    component: Component,
    bounds: Bounds,
    #[cfg(feature = "async")]
    calls_at_once: Arc<tokio::sync::Semaphore>,
    /// One for each linkage that was asked for.
    linked: Mutex<HashMap<LinkageKey, Arc<Linked<State>>>>,
}

/// A builder for [`Onionskin`]; see [`Onionskin::builder`].
pub struct Builder<'a> {
    engine: Option<Engine>,
    source: Source<'a>,
    cache: Cache,
    bounds: Bounds,
    #[cfg(feature = "async")]
    calls_at_once: usize,
}

enum Source<'a> {
    Component(&'a [u8]),
    Precompiled(&'a [u8]),
}

impl Onionskin {
    /// Loads the embedded component with the defaults of [`Onionskin::builder`].
    pub fn load() -> Result<Self, Error> {
        Self::builder().build()
    }

    /// Returns a builder with the embedded component, the cache of the user, [`MEMORY_BYTES_DEFAULT`] and no
    /// limit of fuel.
    #[must_use]
    pub fn builder() -> Builder<'static> {
        Builder {
            engine: None,
            source: Source::Component(WITH_POWERS),
            cache: Cache::of_user(),
            bounds: Bounds { memory_bytes: MEMORY_BYTES_DEFAULT, fuel: None, epochs: None },
            #[cfg(feature = "async")]
            calls_at_once: crate::CALLS_AT_ONCE_DEFAULT,
        }
    }

    pub(crate) fn component(&self) -> &Component {
        &self.loaded.component
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.loaded.engine
    }

    /// Returns the permits for calls of futures, each of which takes a thread while it runs.
    #[cfg(feature = "async")]
    pub(crate) fn calls_at_once(&self) -> &Arc<tokio::sync::Semaphore> {
        &self.loaded.calls_at_once
    }

    pub(crate) fn bounds(&self) -> Bounds {
        self.loaded.bounds
    }

    /// Returns the component linked to a filesystem; it is linked when that is asked for first.
    pub(crate) fn linked(&self, linkage: Linkage<'_>) -> Result<Arc<Linked<State>>, Error> {
        // Each entry is inserted whole, so a panic leaves a consistent map.
        let mut all = self.loaded.linked.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(linked) = all.get(&linkage.key()) {
            return Ok(linked.clone());
        }
        let linked = linkage.link(&self.loaded.engine, &self.loaded.component).map_err(failed("link"))?;
        let linked = Arc::new(linked);
        all.insert(linkage.key(), linked.clone());
        Ok(linked)
    }
}

impl<'a> Builder<'a> {
    /// Uses an engine of the embedder, with its configuration, instead of an engine of this library.
    /// [`Builder::build`] fails with [`Error::Component`] if the engine lacks a feature that the limits need.
    #[must_use]
    pub fn engine(mut self, engine: &Engine) -> Self {
        self.engine = Some(engine.clone());
        self
    }

    /// Uses another build of the component instead of the embedded one.
    #[must_use]
    pub fn component(mut self, wasm: &'a [u8]) -> Self {
        self.source = Source::Component(wasm);
        self
    }

    /// Uses machine code from [`Builder::precompile`], without compiling.
    ///
    /// # Safety
    ///
    /// The bytes must be unchanged since this library produced them, on this machine or one of the same kind:
    /// they are machine code and are executed without further checks.
    #[must_use]
    #[allow(unsafe_code)]
    pub unsafe fn precompiled(mut self, code: &'a [u8]) -> Self {
        self.source = Source::Precompiled(code);
        self
    }

    /// Keeps compiled code in this directory, instead of that of the user. A directory that others may write
    /// is not used, because its content is executed.
    #[must_use]
    pub fn cache_directory(mut self, directory: impl AsRef<Path>) -> Self {
        self.cache = Cache::at(directory.as_ref().to_owned());
        self
    }

    /// Disables the cache: the component is compiled at each load.
    #[must_use]
    pub fn no_cache(mut self) -> Self {
        self.cache = Cache::off();
        self
    }

    /// Limits the memory of an instance, in bytes. An instance that requests more is stopped with
    /// [`Error::Trap`].
    #[must_use]
    pub fn memory_bytes(mut self, maximum: usize) -> Self {
        self.bounds.memory_bytes = maximum;
        self
    }

    /// Limits the fuel of each call. A call that uses more is stopped with [`Error::Trap`]. One unit is about
    /// one instruction; the work of host calls is not counted. Code that counts fuel is slower.
    #[must_use]
    pub fn fuel_for_each_call(mut self, units: u64) -> Self {
        self.bounds.fuel = Some(units);
        self
    }

    /// Limits the time of each call, in ticks of the epoch of the engine. A call that exceeds it is stopped
    /// with [`Error::Trap`]. The embedder advances the epoch with `Engine::increment_epoch` on the engine
    /// that it passes to [`Builder::engine`], which must have epoch interruption enabled. A host call on the
    /// filesystem is not interrupted.
    #[must_use]
    pub fn epochs_for_each_call(mut self, ticks: u64) -> Self {
        self.bounds.epochs = Some(ticks);
        self
    }

    /// Limits the calls of futures that run at once, each on a thread of its own; further ones wait. At least 1;
    /// [`CALLS_AT_ONCE_DEFAULT`](crate::CALLS_AT_ONCE_DEFAULT) by default.
    #[cfg(feature = "async")]
    #[must_use]
    pub fn calls_at_once(mut self, most: usize) -> Self {
        self.calls_at_once = most.clamp(1, tokio::sync::Semaphore::MAX_PERMITS);
        self
    }

    /// Compiles, and returns machine code for [`Builder::precompiled`] with the same settings.
    pub fn precompile(&self) -> Result<Vec<u8>, Error> {
        let engine = self.usable_engine()?;
        match self.source {
            Source::Component(wasm) => engine.precompile_component(wasm).map_err(failed("compile")),
            Source::Precompiled(code) => Ok(code.to_vec()),
        }
    }

    /// Loads the component.
    pub fn build(self) -> Result<Onionskin, Error> {
        let engine = self.usable_engine()?;
        let component = match self.source {
            Source::Component(wasm) => {
                let compile = || engine.precompile_component(wasm);
                cached(&engine, &self.cache, &blake3::hash(wasm), compile).map_err(failed("compile"))?
            }
            Source::Precompiled(code) => deserialize(&engine, code).map_err(failed("load"))?,
        };
        let plain = Linkage::Plain.link(&engine, &component).map_err(failed("link"))?;
        let linked = Mutex::new(HashMap::from([(LinkageKey::Plain, Arc::new(plain))]));
        // An engine that counts fuel stops code without fuel.
        let fuel = self.bounds.fuel.or_else(|| has_fuel(&engine).then_some(u64::MAX));
        let loaded = Loaded {
            engine,
            component,
            bounds: Bounds { fuel, ..self.bounds },
            #[cfg(feature = "async")]
            calls_at_once: Arc::new(tokio::sync::Semaphore::new(self.calls_at_once)),
            linked,
        };
        Ok(Onionskin { loaded: Arc::new(loaded) })
    }

    /// Returns the engine of the embedder, if it supports the limits, or a new engine.
    fn usable_engine(&self) -> Result<Engine, Error> {
        let Bounds { fuel, epochs, .. } = self.bounds;
        let Some(engine) = &self.engine else {
            let mut config = Config::new();
            config.wasm_component_model(true).consume_fuel(fuel.is_some()).epoch_interruption(epochs.is_some());
            return Engine::new(&config).map_err(failed("set up the engine for"));
        };
        let lacking = |text: &'static str| failed("use the given engine for")(wasmtime::Error::msg(text));
        if fuel.is_some() && !has_fuel(engine) {
            return Err(lacking("a limit of fuel needs an engine with `Config::consume_fuel`"));
        }
        if epochs.is_some() && !has_epochs(engine).map_err(failed("use the given engine for"))? {
            return Err(lacking("a limit of epochs needs an engine with `Config::epoch_interruption`"));
        }
        Ok(engine.clone())
    }
}

/// Checks whether an engine counts fuel. An engine does not expose its configuration, so this tries to set
/// fuel.
fn has_fuel(engine: &Engine) -> bool {
    Store::new(engine, ()).set_fuel(1).is_ok()
}

/// Checks whether an engine interrupts code at the end of an epoch, by a call of an empty function after its
/// deadline.
fn has_epochs(engine: &Engine) -> wasmtime::Result<bool> {
    const FUNCTION: &[u8] =
        b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x02\x01\0\x07\x05\x01\x01f\0\0\x0a\x04\x01\x02\0\x0b";
    let module = Module::new(engine, FUNCTION)?;
    let mut store = Store::new(engine, ());
    if has_fuel(engine) {
        store.set_fuel(u64::MAX)?;
    }
    store.set_epoch_deadline(0);
    let instance = Instance::new(&mut store, &module, &[])?;
    Ok(instance.get_typed_func::<(), ()>(&mut store, "f")?.call(&mut store, ()).is_err())
}

/// Compiles a component for an engine of the caller. The machine code is kept in the cache of the user, and a later
/// call for the same component and the same settings of an engine takes it from there.
///
/// # Errors
/// The bytes are not a component that the engine can compile.
pub fn compile(engine: &Engine, wasm: &[u8]) -> wasmtime::Result<Component> {
    cached(engine, &Cache::of_user(), &blake3::hash(wasm), || engine.precompile_component(wasm))
}

/// Returns machine code from the cache, if there is a usable entry for this digest; otherwise calls `compile`
/// and stores its result. Failures of the cache cost time only, so they are not errors.
pub(crate) fn cached(
    engine: &Engine,
    cache: &Cache,
    digest: &blake3::Hash,
    compile: impl FnOnce() -> wasmtime::Result<Vec<u8>>,
) -> wasmtime::Result<Component> {
    let entry = cache.entry(&name(engine, digest));
    if let Some(code) = entry.as_ref().and_then(Entry::read)
        && let Ok(component) = deserialize(engine, &code)
    {
        return Ok(component);
    }
    let code = compile()?;
    if let Some(entry) = entry {
        entry.write(&code);
    }
    deserialize(engine, &code)
}

/// Returns the name of a cache entry, which identifies all inputs of the compilation.
fn name(engine: &Engine, digest: &blake3::Hash) -> String {
    let mut compatibility = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut compatibility);
    format!("{:016x}-{}{SUFFIX}", compatibility.finish(), digest.to_hex())
}

#[allow(unsafe_code)]
fn deserialize(engine: &Engine, code: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: the bytes are the result of `precompile_component` of this library: either from this process or
    // a process of the same program; or read whole from the cache, which checks that this user wrote them; or
    // the caller of the unsafe `Builder::precompiled` vouches for them. The engine itself refuses code of
    // another version or configuration.
    unsafe { Component::deserialize(engine, code) }
}

fn failed(action: &'static str) -> impl Fn(wasmtime::Error) -> Error {
    move |source| Error::Component { action, source }
}
