//! Every target stands what is in its corpus, and what broke it once.
#![allow(missing_docs, clippy::unwrap_used)]

use std::{fs, path::Path};

use larder_fuzz::TARGETS;

fn inputs(folder: &str, target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder).join(target);
    let Ok(files) = fs::read_dir(folder) else { return Vec::new() };
    let read =
        |file: fs::DirEntry| (file.path().display().to_string(), fs::read(file.path()).unwrap());
    files.map(|file| read(file.unwrap())).collect()
}

/// On a thread with the stack that tokio gives its own.
fn stands(folder: &'static str) -> usize {
    let all = move || {
        let mut tried = 0;
        for target in TARGETS {
            for (name, bytes) in inputs(folder, target.name) {
                println!("{name}");
                (target.run)(&bytes);
                tried += 1;
            }
        }
        tried
    };
    std::thread::Builder::new().stack_size(2 << 20).spawn(all).unwrap().join().unwrap()
}

#[test]
fn every_target_stands_its_corpus() {
    assert!(stands("corpus") >= TARGETS.len());
    for target in TARGETS {
        assert!(!inputs("corpus", target.name).is_empty(), "{} has none", target.name);
        (target.run)(&[]);
    }
}

#[test]
fn what_broke_a_target_once_does_so_no_more() {
    stands("regressions");
}
