//! The runs and their workspaces, each of which is a directory that outlives the server.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use onionskin_host::wasmtime::Result;
use onionskin_host::{CommitOptions, Error, Onionskin, Receipt, Resolution, Select, Workspace, WorkspaceBuilder};
use tokio::sync::Mutex as Turn;

use super::plugin::{Bounds, Ended, Machine, Plugin};

/// All that the server has.
pub(crate) struct Runs {
    machine: Machine,
    onionskin: Onionskin,
    project: PathBuf,
    directory: PathBuf,
    bounds: Bounds,
    known: Mutex<Known>,
    /// Commits to the project take turns: each of them locks it.
    committing: Turn<()>,
}

#[derive(Default)]
struct Known {
    plugins: BTreeMap<String, Plugin>,
    /// The ends of the runs; `None` of those that are running, and of those of a server before this one.
    runs: BTreeMap<u64, Option<Ended>>,
}

impl Runs {
    /// Finds the runs of earlier servers.
    pub(crate) fn open(project: &Path, data: &Path, bounds: Bounds) -> Result<Self> {
        let directory = data.join("runs");
        fs::create_dir_all(&directory).map_err(|source| Error::Io {
            action: "make the directory for runs",
            path: directory.clone(),
            source,
        })?;
        let mut known = Known::default();
        for entry in fs::read_dir(&directory)? {
            if let Some(number) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) {
                known.runs.insert(number, None);
            }
        }
        let (machine, onionskin) = (Machine::new(bounds)?, Onionskin::load()?);
        let (project, known) = (project.to_owned(), Mutex::new(known));
        Ok(Self { machine, onionskin, project, directory, bounds, known, committing: Turn::new(()) })
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // Each change is one insertion or removal.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn upper(&self, run: u64) -> PathBuf {
        self.directory.join(run.to_string())
    }

    fn changes(&self, run: u64) -> WorkspaceBuilder {
        self.onionskin.workspace(self.upper(run)).lower(&self.project).quota(self.bounds.quota)
    }

    /// Compiles a plugin. Returns its name, which is its digest.
    pub(crate) async fn add(&self, wasm: Vec<u8>) -> Result<String> {
        let name = blake3::hash(&wasm).to_hex()[..16].to_owned();
        if !self.known().plugins.contains_key(&name) {
            let plugin = self.machine.compile(wasm).await?;
            self.known().plugins.insert(name.clone(), plugin);
        }
        Ok(name)
    }

    /// Runs a plugin; `None` if there is none of this name.
    pub(crate) async fn run(&self, plugin: &str, arguments: Vec<String>) -> Option<Result<(u64, Ended)>> {
        let (plugin, run) = {
            let mut known = self.known();
            let plugin = known.plugins.get(plugin)?.clone();
            let run = known.runs.last_key_value().map_or(1, |(last, _)| last + 1);
            known.runs.insert(run, None);
            (plugin, run)
        };
        let ended = self.start(run, plugin, arguments).await;
        match &ended {
            Ok(ended) => drop(self.known().runs.insert(run, Some(ended.clone()))),
            Err(_) => self.forget(run),
        }
        Some(ended.map(|ended| (run, ended)))
    }

    async fn start(&self, run: u64, plugin: Plugin, arguments: Vec<String>) -> Result<Ended> {
        let upper = self.upper(run);
        fs::create_dir(&upper).map_err(|source| Error::Io {
            action: "make the directory for changes",
            path: upper.clone(),
            source,
        })?;
        self.machine.run(plugin, arguments, self.changes(run)).await
    }

    /// Returns the numbers of all runs whose changes are neither committed nor discarded, with their ends.
    pub(crate) fn all(&self) -> BTreeMap<u64, Option<Ended>> {
        self.known().runs.clone()
    }

    pub(crate) fn has(&self, run: u64) -> bool {
        self.known().runs.contains_key(&run)
    }

    /// Reads the changes of a run, also while it is running.
    pub(crate) async fn look<T: Send + 'static>(
        &self,
        run: u64,
        read: impl FnOnce(&mut Workspace, &Path) -> Result<T, Error> + Send + 'static,
    ) -> Result<T> {
        let (changes, upper) = (self.changes(run), self.upper(run));
        let looked = tokio::task::spawn_blocking(move || {
            let mut workspace = changes.observe()?;
            let answer = read(&mut workspace, &upper)?;
            workspace.close()?;
            Ok::<_, Error>(answer)
        });
        Ok(looked.await??)
    }

    /// Writes the changes of a run to the project, all or nothing. Texts that the project has changed since are merged by
    /// lines first, if that is asked for.
    pub(crate) async fn commit(&self, run: u64, merges: bool) -> Result<Receipt, Error> {
        let _turn = self.committing.lock().await;
        let workspace = self.changes(run).open_async().await?;
        if merges {
            workspace.refresh(&Select::default(), Resolution::Merge).await?;
        }
        let receipt = workspace.commit(&self.project, &CommitOptions::default()).await?;
        workspace.discard().await?;
        self.forget(run);
        Ok(receipt)
    }

    pub(crate) async fn discard(&self, run: u64) -> Result<(), Error> {
        self.changes(run).open_async().await?.discard().await?;
        self.forget(run);
        Ok(())
    }

    fn forget(&self, run: u64) {
        // A directory that is not empty has something to keep, and is listed by the next server.
        let _ = fs::remove_dir(self.upper(run));
        self.known().runs.remove(&run);
    }
}
