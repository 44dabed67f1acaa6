//! BLAKE3 of whole files.

use std::fs::File;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::blocks::BLOCK;
use crate::convert::{Stop, Watch};
use crate::fs::{self, StorageError};
use crate::units::Bytes;

/// The files with their digests, as `b3sum` writes them; none where it was asked to stop.
pub(super) fn all(
    files: &[PathBuf],
    threads: usize,
    watch: &Watch,
    stop: &Stop,
) -> Result<Option<Vec<(PathBuf, String)>>, StorageError> {
    let size = |path: &PathBuf| std::fs::metadata(path).map_or(Bytes(0), |data| Bytes(data.len()));
    watch.begin(0, files.iter().map(size).sum());
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..threads.clamp(1, files.len().max(1)) {
            scope.spawn(|| {
                let mut block = vec![0; BLOCK];
                while let Some(path) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let digest = one(path, &mut block, watch, stop);
                    let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
                    done.push(digest.map(|digest| digest.map(|digest| (path.clone(), digest))));
                }
            });
        }
    });
    let done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    let digests: Option<Vec<_>> = done.into_iter().collect::<Result<_, StorageError>>()?;
    Ok(digests.map(|mut digests| {
        digests.sort_by_key(|(path, _)| files.iter().position(|file| file == path));
        digests
    }))
}

fn one(path: &PathBuf, block: &mut [u8], watch: &Watch, stop: &Stop) -> Result<Option<String>, StorageError> {
    let failed = |source| StorageError::new("read", path, source);
    let file = File::open(path).map_err(failed)?;
    let mut hasher = blake3::Hasher::new();
    let mut at = 0;
    while !stop.requested() {
        let found = fs::read_at(&file, block, at).map_err(failed)?;
        hasher.update(&block[..found]);
        watch.add_read(Bytes::from(found));
        at += found as u64;
        if found < block.len() {
            return Ok(Some(hasher.finalize().to_string()));
        }
    }
    Ok(None)
}
