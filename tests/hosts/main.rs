//! The real component on a real filesystem keeps its promises, and its host adds its own.
//!
//! | promise | module |
//! |---|---|
//! | the two stories come out as promised, at every call | [`stories`] |
//! | every typed call does what the contract says, and its receipt says what was achieved | [`calls`] |
//! | every failure is a typed error with a path, and says what is left behind | [`errors`] |
//! | absolute links are resolved where they are granted, and refused by name elsewhere | [`links`] |
//! | a hard link or a read-only original is never written through | [`shared`] |
//! | a database travels with its journal | [`databases`] |
//! | no path leaves its root | [`paths`] |
//! | pipes, sockets, odd names, dangling links and loops neither hang nor trap | [`nodes`] |
//! | a log that is not what was written costs nothing | [`logs`] |
//! | nor does an intent that is not what was written | [`intents`] |
//! | a full disk, a read-only one or a mount in the way is an error and no more | [`mounts`] |
//! | a root has one owner | [`owners`] |
//! | the component stays within what it was given | [`bounds`] |

#![cfg(unix)]

mod ground;
mod scene;

mod bounds;
mod calls;
mod databases;
mod errors;
mod intents;
mod links;
mod logs;
mod mounts;
mod nodes;
mod owners;
mod paths;
mod shared;
mod stories;
