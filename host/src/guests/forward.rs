//! Forwards the calls of a guest to the component, by the types in the component.

#[cfg(feature = "async")]
use std::future::Future;
use std::sync::Arc;

use wasmtime::component::types::{ComponentItem, Type};
use wasmtime::component::{Linker, LinkerInstance, ResourceAny, ResourceDynamic, ResourceType, Val};
use wasmtime::{AsContextMut as _, StoreContextMut};

use super::rights::{Refusal, is_known};
use super::session::{Call, GuestRoots};
use crate::error::Kind;
use crate::lock::RootLock;
use crate::{Cause, Onionskin};

/// The package of the contract.
const PACKAGE: &str = "onionskin:fs/";

/// Links the interfaces of the contract for guests of the embedder: `onionskin:fs/store`, `capabilities`, `workspace` and
/// their types, and no others. `roots` returns the roots of the guest that a store of the embedder runs.
///
/// The engine of the linker may be another than that of `onionskin`. The calls block, as those of
/// [`Store`](crate::Store), and may be made on a thread of a runtime of tokio. An absolute link is `link-unreadable`, as
/// the contract has it: this host does not resolve links for guests. A fault or a limit of the component is a trap of the
/// guest, which ends its instance of the component; the next open recovers the roots.
///
/// Not promised: a list of bytes takes 32 bytes for each of them, for the duration of its call.
///
/// # Errors
/// The linker has one of the interfaces already.
pub fn add_to_linker<T: 'static>(
    onionskin: &Onionskin,
    linker: &mut Linker<T>,
    roots: fn(&mut T) -> &mut GuestRoots,
) -> wasmtime::Result<()> {
    link(onionskin, linker, roots, Way { resource: link_resource, function: link_function })
}

/// As [`add_to_linker`], for stores whose calls are futures (`instantiate_async`, `call_async`): a call of the contract
/// takes a thread of tokio's pool for blocking work while it runs, and blocks no thread of the runtime.
///
/// A future of the embedder that is dropped in the middle of a call is a crash at that call. The call of the operating
/// system that is being made ends; no further one is made; then the roots are free, and the next open waits for that.
///
/// # Errors
/// The linker has one of the interfaces already.
#[cfg(feature = "async")]
pub fn add_to_linker_async<T: Send + 'static>(
    onionskin: &Onionskin,
    linker: &mut Linker<T>,
    roots: fn(&mut T) -> &mut GuestRoots,
) -> wasmtime::Result<()> {
    link(onionskin, linker, roots, Way { resource: link_resource_async, function: link_function_async })
}

type Roots<T> = fn(&mut T) -> &mut GuestRoots;

/// The functions that link a resource, by its name and number, and a function of the contract.
struct Way<T: 'static> {
    resource: fn(&mut LinkerInstance<'_, T>, &str, u32, Roots<T>) -> wasmtime::Result<()>,
    function: fn(&mut LinkerInstance<'_, T>, Function, Roots<T>) -> wasmtime::Result<()>,
}

fn link<T: 'static>(
    onionskin: &Onionskin,
    linker: &mut Linker<T>,
    roots: Roots<T>,
    way: Way<T>,
) -> wasmtime::Result<()> {
    let (component, engine) = (onionskin.component(), onionskin.engine());
    let mut kinds = Vec::new();
    for (interface, item) in component.component_type().exports(engine) {
        let ComponentItem::ComponentInstance(instance) = item.ty else { continue };
        if !interface.starts_with(PACKAGE) {
            continue;
        }
        let mut linked = linker.instance(interface)?;
        // The resources first, which its functions return.
        for (name, item) in instance.exports(engine) {
            if let ComponentItem::Resource(kind) = item.ty {
                (way.resource)(&mut linked, name, u32::try_from(kinds.len())?, roots)?;
                kinds.push(kind);
            }
        }
        for (name, item) in instance.exports(engine) {
            let ComponentItem::ComponentFunc(function) = item.ty else { continue };
            if function.params().any(|(name, kind)| names_a_directory(name, &kind)) && !is_known(name) {
                // A call that is added to the contract needs a decision.
                return Err(wasmtime::Error::msg(format!("no right is known for {name} of {interface}")));
            }
            let function = Function {
                interface: interface.to_owned(),
                name: name.to_owned(),
                parameters: function.params().map(|(name, _)| name.to_owned()).collect(),
                returns: function.results().find_map(|result| returned(&result, &kinds)),
            };
            (way.function)(&mut linked, function, roots)?;
        }
    }
    Ok(())
}

fn link_resource<T: 'static>(
    linked: &mut LinkerInstance<'_, T>,
    name: &str,
    number: u32,
    roots: Roots<T>,
) -> wasmtime::Result<()> {
    linked.resource(name, ResourceType::host_dynamic(number), move |mut store: StoreContextMut<'_, T>, handle| {
        let session = roots(store.data_mut()).session().map_err(wasmtime::Error::new)?;
        session.drop_resource(handle).map_err(wasmtime::Error::new)
    })
}

fn link_function<T: 'static>(
    linked: &mut LinkerInstance<'_, T>,
    function: Function,
    roots: Roots<T>,
) -> wasmtime::Result<()> {
    let name = function.name.clone();
    linked.func_new(&name, move |mut store, _, params, results| {
        let (params, parent) = function.params(&mut store, roots, params)?;
        let made = roots(store.data_mut()).call(&function.call(), &params).map_err(wasmtime::Error::new)?;
        function.answer(&mut store, roots, made, &parent, results)
    })
}

#[cfg(feature = "async")]
fn link_resource_async<T: Send + 'static>(
    linked: &mut LinkerInstance<'_, T>,
    name: &str,
    number: u32,
    roots: Roots<T>,
) -> wasmtime::Result<()> {
    linked.resource_async(name, ResourceType::host_dynamic(number), move |mut store: StoreContextMut<'_, T>, handle| {
        Box::new(async move {
            let dropped = roots(store.data_mut()).apart(move |session, _, _| session.drop_resource(handle));
            dropped.await.map_err(wasmtime::Error::new)
        })
    })
}

#[cfg(feature = "async")]
fn link_function_async<T: Send + 'static>(
    linked: &mut LinkerInstance<'_, T>,
    function: Function,
    roots: Roots<T>,
) -> wasmtime::Result<()> {
    type Linked<'a> = Box<dyn Future<Output = wasmtime::Result<()>> + Send + 'a>;
    let (name, function) = (function.name.clone(), Arc::new(function));
    linked.func_new_async(&name, move |mut store, _, params, results| -> Linked<'_> {
        let function = function.clone();
        Box::new(async move {
            let (params, parent) = function.params(&mut store, roots, params)?;
            let called = function.clone();
            let made = roots(store.data_mut())
                .apart(move |session, onionskin, roots| session.call(onionskin, roots, &called.call(), &params));
            let made = made.await.map_err(wasmtime::Error::new)?;
            function.answer(&mut store, roots, made, &parent, results)
        })
    })
}

/// Returns the number of the resource that a function returns.
fn returned(result: &Type, kinds: &[ResourceType]) -> Option<u32> {
    match result {
        Type::Own(kind) => kinds.iter().position(|it| it == kind).and_then(|at| u32::try_from(at).ok()),
        Type::Result(result) => result.ok().and_then(|it| returned(&it, kinds)),
        _ => None,
    }
}

/// Returns whether a parameter has the guest path of a directory.
fn names_a_directory(name: &str, kind: &Type) -> bool {
    let is_path = |name: &str| matches!(name, "at" | "upper" | "into" | "to");
    match kind {
        Type::String => is_path(name),
        Type::Record(record) => record.fields().any(|field| matches!(field.ty, Type::String) && is_path(field.name)),
        _ => false,
    }
}

/// A function of the contract.
struct Function {
    interface: String,
    name: String,
    parameters: Vec<String>,
    /// The number of the resource that it returns.
    returns: Option<u32>,
}

impl Function {
    fn call(&self) -> Call<'_> {
        Call { interface: &self.interface, name: &self.name, parameters: &self.parameters }
    }

    /// Returns the parameters with the resources of the component in place of the handles of the guest, and the locks of
    /// these resources.
    fn params<T>(
        &self,
        store: &mut StoreContextMut<'_, T>,
        roots: Roots<T>,
        params: &[Val],
    ) -> wasmtime::Result<(Vec<Val>, Vec<Arc<RootLock>>)> {
        let mut params = params.to_vec();
        let mut parent = Vec::new();
        for param in &mut params {
            // The contract has resources as whole parameters only.
            let Val::Resource(handle) = param else { continue };
            let handle = handle.try_into_resource_dynamic(store.as_context_mut())?;
            let session = roots(store.data_mut()).session().map_err(wasmtime::Error::new)?;
            parent.extend(session.locks_of(handle.rep()));
            *param = Val::Resource(session.inner(handle.rep(), handle.owned())?);
        }
        Ok((params, parent))
    }

    /// Gives the guest the result, with a handle in place of a resource of the component. A store that the call consumed
    /// keeps its locks, which are the `parent`, until here.
    fn answer<T>(
        &self,
        store: &mut StoreContextMut<'_, T>,
        roots: Roots<T>,
        made: Result<Val, Refusal>,
        parent: &[Arc<RootLock>],
        results: &mut [Val],
    ) -> wasmtime::Result<()> {
        let mut result = made.unwrap_or_else(|refusal| Val::Result(Err(Some(Box::new(as_value(refusal))))));
        if let (Some(number), Some(inner)) = (self.returns, resource(&mut result)) {
            let session = roots(store.data_mut()).session().map_err(wasmtime::Error::new)?;
            let handle = session.hold(*inner, parent);
            *inner = ResourceDynamic::new_own(handle, number).try_into_resource_any(store.as_context_mut())?;
        }
        if let Some(place) = results.first_mut() {
            *place = result;
        }
        Ok(())
    }
}

/// Returns the resource in a result.
fn resource(value: &mut Val) -> Option<&mut ResourceAny> {
    match value {
        Val::Resource(resource) => Some(resource),
        Val::Result(Ok(Some(value))) => resource(value),
        _ => None,
    }
}

/// Returns an error of the contract as a value.
fn as_value(refusal: Refusal) -> Val {
    let Refusal { kind, subject, text, cause } = refusal;
    let message = format!("{subject}: {text}");
    let cause = cause.map(|cause| Box::new(Val::Enum(word(cause).to_owned())));
    Val::Record(vec![
        ("kind".to_owned(), Val::Enum(Kind::Contract(kind).as_str().to_owned())),
        ("subject".to_owned(), Val::String(subject)),
        ("message".to_owned(), Val::String(message)),
        ("cause".to_owned(), Val::Option(cause)),
    ])
}

/// Returns the name of a cause in the contract, of those that a refusal has.
fn word(cause: Cause) -> &'static str {
    match cause {
        Cause::NotPermitted => "not-permitted",
        _ => "other",
    }
}
