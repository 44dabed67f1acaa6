use super::Window;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;

const CHILD: &str = "MAPPED_TEST_CHILD";

fn pattern(len: usize) -> Vec<u8> {
    (1..=251).cycle().take(len).collect()
}

fn file_of(bytes: &[u8]) -> std::fs::File {
    let mut file = tempfile::tempfile().expect("a temporary file");
    file.write_all(bytes).expect("room for the file");
    file
}

#[test]
fn unaligned_stretch_is_exact() {
    let content = pattern(100_000);
    let file = file_of(&content);
    for (offset, len) in [(0, 100_000), (1, 1), (4095, 2), (4096, 4096), (70_001, 29_999), (5, 0)] {
        let window = Window::map(&file, offset as u64, len).unwrap();
        assert_eq!(window.bytes(), &content[offset..offset + len], "{offset} {len}");
        assert!(!window.faulted());
    }
}

#[test]
fn truncated_file_reads_as_zeros_and_is_marked() {
    let content = pattern(1 << 20);
    let file = file_of(&content);
    let whole = Window::map(&file, 0, 1 << 16).unwrap();
    let cut = Window::map(&file, 1000, content.len() - 1000).unwrap();
    file.set_len(1 << 16).unwrap();
    let seen = cut.bytes().to_vec();
    assert!(cut.faulted());
    assert_eq!(seen[..(1 << 16) - 1000], content[1000..1 << 16]);
    assert!(seen[(1 << 16) - 1000..].iter().all(|&b| b == 0));
    // The other window of the same file is not blamed.
    assert_eq!(whole.bytes(), &content[..1 << 16]);
    assert!(!whole.faulted());
}

#[test]
fn threads_keep_their_faults_apart() {
    std::thread::scope(|scope| {
        for thread in 0..8 {
            scope.spawn(move || {
                for round in 0..50 {
                    let content = pattern(1 << 17);
                    let file = file_of(&content);
                    let window = Window::map(&file, 0, content.len()).unwrap();
                    let cuts = (thread + round) % 2 == 0;
                    if cuts {
                        file.set_len(0).unwrap();
                    }
                    let expected = if cuts { vec![0; content.len()] } else { content };
                    assert!(window.bytes() == expected);
                    assert_eq!(window.faulted(), cuts);
                }
            });
        }
    });
}

#[test]
fn fault_elsewhere_still_ends_the_process() {
    if std::env::var_os(CHILD).is_some() {
        let file = file_of(&pattern(1 << 16));
        // Installs the handler, and stays registered.
        let window = Window::map(&file, 0, 1 << 16).unwrap();
        // SAFETY: the fault is the point of this test.
        let foreign = unsafe { memmap2::Mmap::map(&file) }.unwrap();
        file.set_len(0).unwrap();
        assert_eq!(std::hint::black_box(window.bytes())[9000], 0);
        assert!(window.faulted());
        std::hint::black_box(std::hint::black_box(&foreign[..])[9000]);
        std::process::exit(0);
    }
    let name = "convert::mapped::tests::fault_elsewhere_still_ends_the_process";
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(CHILD, "1")
        .output()
        .unwrap();
    assert_eq!(output.status.signal(), Some(libc::SIGBUS), "{output:?}");
}
