//! The library uses an engine of the embedder as it is configured, and says what it lacks.

use std::fs;

use onionskin_host::wasmtime::{Config, Engine};
use onionskin_host::{Error, Fault, Faults, Kind, Onionskin, OpenOptions, Store, Trap, WriteOptions};

use crate::ground;

fn engine(configure: impl FnOnce(&mut Config)) -> Engine {
    let mut config = Config::new();
    configure(&mut config);
    Engine::new(&config).expect("the engine can be set up")
}

fn replace(onionskin: &Onionskin, faults: &Faults, root: &std::path::Path) -> Result<(), Error> {
    let store = onionskin.store(root).faults(faults).open(&OpenOptions::default())?;
    store.replace("file", b"new", &WriteOptions::default())?;
    store.close()
}

/// Engines that count fuel or epochs run the component also where it has no limit.
#[test]
fn an_engine_is_used_without_limits() {
    let engines = [
        ("plain", engine(|_| ())),
        (
            "fuel",
            engine(|config| {
                config.consume_fuel(true);
            }),
        ),
        (
            "epochs",
            engine(|config| {
                config.epoch_interruption(true);
            }),
        ),
    ];
    for (name, engine) in engines {
        let root = ground::scratch();
        let onionskin = Onionskin::builder().engine(&engine).build().expect("the component loads");
        let faults = Faults::counting(Fault::None).on_write({
            let engine = engine.clone();
            move |_| engine.increment_epoch()
        });
        replace(&onionskin, &faults, root.path()).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(fs::read(root.path().join("file")).expect("it is there"), b"new", "{name}");
    }
}

/// A limit that the engine cannot keep is an error when the component is loaded.
#[test]
fn an_engine_that_lacks_something_is_refused() {
    let plain = engine(|_| ());
    let fuel = Onionskin::builder().engine(&plain).fuel_for_each_call(1 << 30).build();
    let epochs = Onionskin::builder().engine(&plain).epochs_for_each_call(1).build();
    let none = engine(|config| {
        config.wasm_component_model(false);
    });
    let components = Onionskin::builder().engine(&none).build();
    for (result, word) in [(fuel, "consume_fuel"), (epochs, "epoch_interruption"), (components, "component")] {
        let error = result.err().unwrap_or_else(|| panic!("{word}: it was loaded"));
        assert_eq!(error.kind(), Kind::Component, "{error}");
        assert!(error.to_string().contains(word), "{word}: {error}");
    }
}

/// A call that outlasts its epochs is stopped, and opening the root again recovers.
#[test]
fn an_epoch_stops_a_call() {
    let engine = engine(|config| {
        config.epoch_interruption(true);
    });
    let onionskin = Onionskin::builder().engine(&engine).epochs_for_each_call(1).build().expect("it loads");
    let root = ground::scratch();
    fs::write(root.path().join("file"), "old").expect("a writable directory");
    let faults = Faults::counting(Fault::None).on_write(move |_| engine.increment_epoch());
    let error = replace(&onionskin, &faults, root.path()).expect_err("the epoch ends at the first write");
    assert!(matches!(error, Error::Trap { trap: Trap::OutOfTime { limit: 1 }, .. }), "{error:?}");
    assert_eq!(error.kind().as_str(), "out-of-time");
    let store = onionskin.store(root.path()).open(&OpenOptions::default());
    store.and_then(Store::close).expect("it recovers");
    assert_eq!(fs::read(root.path().join("file")).expect("it is there"), b"old");
    assert_eq!(ground::ours(&ground::read(root.path())), ground::NONE);
}
