//! The parts of a release of Onionskin, and its checks.
//!
//! None of this is in the product. [`contract`] reads the WIT of `wit/`: its items, its surface, which must not change
//! under a published version, and the package as WebAssembly. [`pages`] generates its documentation, and [`languages`]
//! a part of the packages for Python and Node. [`sections`] strips a component and adds its metadata, [`bill`] lists
//! the packages that are compiled into it, and [`release`] puts everything into one directory.

pub mod bill;
pub mod contract;
pub mod languages;
pub mod pages;
pub mod release;
pub mod sections;
