//! The real component on a real filesystem keeps its promises, and the host adds its own.
//!
//! | promise | module |
//! |---|---|
//! | both demonstrations keep their promises, with a fault at every call | [`demo`] |
//! | every typed call keeps the promise of the contract, and its receipt reports the achieved durability | [`calls`] |
//! | every failure is a typed error with a path, and names the state left behind | [`errors`] |
//! | every file keeps its mode and attributes, and nobody sees more at any moment than before or after | [`attributes`] |
//! | absolute links are resolved where they are granted, and refused by name elsewhere | [`links`] |
//! | a hard link or a read-only original is never written through | [`shared`] |
//! | a database is copied with its journal | [`databases`] |
//! | no path leaves its root | [`paths`] |
//! | pipes, sockets, names that are not UTF-8, dangling links and loops neither hang nor trap | [`nodes`] |
//! | a damaged log loses nothing | [`logs`] |
//! | a damaged intent loses nothing | [`intents`] |
//! | a full disk, a read-only one or a mount point in the way is an error, and nothing is lost | [`mounts`] |
//! | a root has one owner | [`owners`] |
//! | the component stays within its memory and fuel | [`bounds`] |
//! | an engine of the embedder is used as it is configured | [`engines`] |
//! | calls may be made from any thread, inside an asynchronous runtime or not | [`runtime`] |
//! | calls are futures, and one that is dropped is a crash at its call, no more | [`futures`] |
//! | guests of an embedder get the roots that they are granted, with their rights and quotas | [`granted`] |
//! | components of an embedder get layered directories, and the host commits or discards their changes | [`layered`] |
//! | many tasks with random time limits lose nothing and mix nothing | [`soak`] |

#![cfg(unix)]

mod scene;

mod attributes;
mod bounds;
mod calls;
mod databases;
mod demo;
mod engines;
mod errors;
mod futures;
mod granted;
mod intents;
mod layered;
mod links;
mod logs;
mod mounts;
mod nodes;
mod owners;
mod paths;
mod runtime;
mod shared;
mod soak;

use onionskin_tests::ground;
