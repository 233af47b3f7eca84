//! Many tasks over many roots, with random time limits on their calls: nothing acknowledged is lost, no content is mixed,
//! and no descriptor is left.
//!
//! 200 tasks over 20 roots; with `ONIONSKIN_SOAK=1`, 1,000 over 100.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use onionskin_host::{AsyncStore, Durability, Error, OpenOptions, Publish, Trap, WriteOptions};
use onionskin_tests::fastrand::Rng;
use tempfile::TempDir;
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::ground;
use crate::runtime::runtimes;
use crate::scene::{onionskin, publish};

const SEED: u64 = 18;
/// The changes of each task.
const ROUNDS: u64 = 6;

/// A root, and the store that the tasks share until one of its calls is dropped.
struct Root {
    directory: TempDir,
    store: Mutex<Option<Arc<AsyncStore>>>,
}

impl Root {
    async fn store(&self) -> Arc<AsyncStore> {
        let mut store = self.store.lock().await;
        if let Some(store) = &*store {
            return store.clone();
        }
        let opened = onionskin().store(self.directory.path()).open_async(&OpenOptions::default()).await;
        let opened = Arc::new(opened.expect("the root is free and recovers"));
        *store = Some(opened.clone());
        opened
    }

    /// Opens the root again at the next use, unless another task has done so.
    async fn give_up(&self, stopped: &Arc<AsyncStore>) {
        let mut store = self.store.lock().await;
        if store.as_ref().is_some_and(|it| Arc::ptr_eq(it, stopped)) {
            *store = None;
        }
    }
}

/// The results of one task: the number of its last change that was acknowledged, and of its dropped and refused calls.
#[derive(Default)]
struct Done {
    acknowledged: Option<u64>,
    dropped: usize,
    refused: usize,
}

/// Returns the content of a file of a task, which names the task.
fn content(task: usize, round: u64) -> String {
    format!("task {task} round {round} {}", "x".repeat(task % 700))
}

async fn work(task: usize, root: Arc<Root>) -> Done {
    let mut rng = Rng::with_seed(SEED + task as u64);
    let mut done = Done::default();
    for round in 0..ROUNDS {
        let store = root.store().await;
        let limit = if rng.bool() { Duration::from_micros(rng.u64(0..60_000)) } else { Duration::from_secs(600) };
        let durability = if rng.bool() { Durability::Visible } else { Durability::Full };
        let change = async {
            let text = content(task, round);
            if rng.bool() {
                let options = WriteOptions::default().durability(durability);
                return store.replace(&format!("{task}-a"), text, &options).await.map(drop);
            }
            let mut change = store.begin(&format!("{task}-d"), &publish(Publish::InPlace)).await?;
            change.put("a", text.clone()).await?;
            change.put("b", text).await?;
            change.commit().await.map(drop)
        };
        match timeout(limit, change).await {
            Ok(Ok(())) => done.acknowledged = Some(round),
            Ok(Err(Error::Trap { trap: Trap::Cancelled, .. })) => {
                done.refused += 1;
                root.give_up(&store).await;
            }
            Ok(Err(error)) => panic!("task {task}, round {round}: {error}"),
            Err(_) => done.dropped += 1,
        }
    }
    done
}

/// Returns the round of a file of a task; `None` if there is no file.
///
/// # Panics
/// If the content is not one that this task wrote.
fn round(task: usize, path: &Path) -> Option<u64> {
    let text = std::fs::read_to_string(path).ok()?;
    let found = (0..ROUNDS).find(|round| content(task, *round) == text);
    Some(found.unwrap_or_else(|| panic!("{}: the content of another: {text:?}", path.display())))
}

fn descriptors() -> Vec<String> {
    let all = std::fs::read_dir("/proc/self/fd").expect("a Linux system");
    let mut all: Vec<String> = all
        .filter_map(|it| std::fs::read_link(it.expect("an entry").path()).ok())
        .map(|it| it.display().to_string())
        .collect();
    all.sort();
    all
}

#[cfg(target_os = "linux")]
#[test]
fn many_tasks_with_time_limits_lose_nothing() {
    let (tasks, roots) = if std::env::var_os("ONIONSKIN_SOAK").is_some() { (1000, 100) } else { (200, 20) };
    for (flavour, runtime) in runtimes() {
        let all: Vec<Arc<Root>> =
            (0..roots).map(|_| Arc::new(Root { directory: ground::scratch(), store: Mutex::new(None) })).collect();
        let done = runtime.block_on(async {
            let spawned: Vec<_> = (0..tasks).map(|it| tokio::spawn(work(it, all[it % roots].clone()))).collect();
            let mut done = Vec::new();
            for task in spawned {
                done.push(task.await.expect("the task ends"));
            }
            for root in &all {
                drop(root.store.lock().await.take());
                // The last open recovers what a dropped call left.
                let store = root.store().await;
                root.store.lock().await.take();
                Arc::into_inner(store).expect("the last one").close().await.expect("the store closes");
            }
            done
        });
        let (mut acknowledged, mut dropped, mut refused) = (0, 0, 0);
        for (task, done) in done.iter().enumerate() {
            let root = all[task % roots].directory.path();
            let file = |name: &str| round(task, &root.join(name));
            let both = [file(&format!("{task}-d/a")), file(&format!("{task}-d/b"))];
            assert_eq!(both[0], both[1], "{flavour}, task {task}: a transaction is whole");
            let newest = both[0].max(file(&format!("{task}-a")));
            assert!(newest >= done.acknowledged, "{flavour}, task {task}: {newest:?} after {:?}", done.acknowledged);
            acknowledged += usize::from(done.acknowledged.is_some());
            (dropped, refused) = (dropped + done.dropped, refused + done.refused);
        }
        for root in &all {
            assert_eq!(ground::ours(&ground::read(root.directory.path())), ground::NONE, "{flavour}");
        }
        println!("{flavour}: of {tasks} tasks {acknowledged} wrote; {dropped} calls dropped, {refused} refused");
        // Whether a dropped future was in the middle of its call is chance; the module `futures` drops them there.
        assert!(acknowledged > tasks / 4 && dropped > tasks / 4, "{flavour}: the limits do something");
        drop(runtime);
        let places: Vec<String> = all.iter().map(|it| it.directory.path().display().to_string()).collect();
        let left: Vec<String> =
            descriptors().into_iter().filter(|it| places.iter().any(|place| it.starts_with(place))).collect();
        assert_eq!(left, Vec::<String>::new(), "{flavour}: descriptors of the roots");
    }
}
