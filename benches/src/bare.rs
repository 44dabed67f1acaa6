//! The least that a converter must do: list, open, read, decode, write. No plan, no check, no index, no checksum, one
//! layout for all files. What it costs beyond this is the price of a result that can be trusted.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use trc2npy_common::fs::write_all_at;
use zerocopy::IntoBytes;

/// Where the samples of a file begin that has a descriptor and nothing else in front of them.
const SAMPLES_START: usize = 346;
const NPY_HEADER: u64 = 128;
/// Samples written at once, where the files are smaller.
const AT_ONCE: usize = 160_000;

/// Converts the little-endian 16-bit files of `folder`, in the order of their names, into one array of f32.
pub fn convert(folder: &Path, out: &Path, baseline: usize, threads: usize) -> io::Result<()> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<_>>()?;
    files.sort_unstable();
    let first = files.first().ok_or(io::ErrorKind::NotFound)?;
    let samples = (usize::try_from(fs::metadata(first)?.len()).map_err(io::Error::other)? - SAMPLES_START) / 2;
    let array = File::create(out)?;
    array.set_len(NPY_HEADER + (files.len() * samples * 4) as u64)?;
    let step = (AT_ONCE / samples).max(1);
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| -> io::Result<()> {
                    let mut bytes = Vec::new();
                    let mut values = vec![0_f32; step * samples];
                    loop {
                        let start = next.fetch_add(step, Ordering::Relaxed);
                        let some = files.iter().skip(start).take(step);
                        let count = some.len();
                        if count == 0 {
                            return Ok(());
                        }
                        for (file, row) in some.zip(values.chunks_exact_mut(samples)) {
                            bytes.clear();
                            File::open(file)?.read_to_end(&mut bytes)?;
                            decode(&bytes, row, baseline);
                        }
                        let place = NPY_HEADER + (start * samples * 4) as u64;
                        write_all_at(&array, values[..count * samples].as_bytes(), place)?;
                    }
                })
            })
            .collect();
        workers
            .into_iter()
            .try_for_each(|worker| worker.join().expect("a worker does not panic"))
    })
}

fn decode(bytes: &[u8], row: &mut [f32], baseline: usize) {
    let float = |at: usize| f32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    let (gain, offset) = (float(156), float(160));
    for (value, code) in row.iter_mut().zip(bytes[SAMPLES_START..].as_chunks().0) {
        *value = gain * f32::from(i16::from_le_bytes(*code)) - offset;
    }
    let level = row[..baseline].iter().sum::<f32>() / baseline as f32;
    for value in row {
        *value -= level;
    }
}
