//! What a release of Onionskin is made of, and what it is held to.
//!
//! None of this is in the product. [`contract`] reads the WIT of `wit/`: its items, its surface, which
//! must not change under a version that was published, and the package as WebAssembly. [`pages`] makes
//! the documentation of it, and [`languages`] what the packages for Python and Node are made of. [`sections`] strips a component and says in it where it comes from,
//! [`bill`] lists what is compiled into it, and [`release`] puts all of it into one directory.

pub mod bill;
pub mod contract;
pub mod languages;
pub mod pages;
pub mod release;
pub mod sections;
