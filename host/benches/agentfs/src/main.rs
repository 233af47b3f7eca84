//! Writes into originals through the overlay of agentfs-sdk, and prints the elapsed seconds.
//!
//!     agentfs LOWER DATABASE BYTES NAME ...
//!
//! Each of the names gets this many bytes at the end of its file, or in the middle if there is only one name. Changes
//! go to the database, and nothing is synced, which is its default.

use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

use agentfs_sdk::filesystem::{AgentFS, FileSystem, HostFS, OverlayFS};

/// The number of the topmost directory.
const ROOT: i64 = 1;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [lower, database, bytes, names @ ..] = &arguments[..] else {
        return Err("usage: agentfs LOWER DATABASE BYTES NAME ...".into());
    };
    let bytes = vec![b'x'; bytes.parse()?];
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(write(lower, database, &bytes, names))
}

async fn write(lower: &str, database: &str, bytes: &[u8], names: &[String]) -> Result<(), Box<dyn Error>> {
    let overlay = OverlayFS::new(Arc::new(HostFS::new(lower)?), AgentFS::new(database).await?);
    overlay.init(lower).await?;
    let start = Instant::now();
    for name in names {
        let mut number = ROOT;
        let mut size = 0;
        for part in name.split('/') {
            let found = overlay.lookup(number, part).await?.ok_or_else(|| format!("{name} is not there"))?;
            (number, size) = (found.ino, found.size);
        }
        let file = overlay.open(number, libc::O_RDWR).await?;
        let at = if names.len() == 1 { size / 2 } else { size };
        file.pwrite(u64::try_from(at)?, bytes).await?;
    }
    println!("{}", start.elapsed().as_secs_f64());
    Ok(())
}
