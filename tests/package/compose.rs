//! Composition, as the program `wac` does it.

use wac_graph::types::Package;
use wac_graph::{CompositionGraph, EncodeOptions, plug};

/// What `wac plug PROGRAM --plug COMPONENT` makes.
pub(crate) fn compose(program: &[u8], component: &[u8]) -> Vec<u8> {
    let mut graph = CompositionGraph::new();
    let mut package = |name, bytes: &[u8]| {
        let package = Package::from_bytes(name, None, bytes, graph.types_mut()).expect("it is a component");
        graph.register_package(package).expect("it is registered once")
    };
    let (socket, part) = (package("program", program), package("onionskin", component));
    plug(&mut graph, vec![part], socket).expect("the program imports what the component exports");
    graph.encode(EncodeOptions::default()).expect("it encodes")
}
