//! The numbered examples, run: each prints something and holds what it asserts.
//!
//! `cargo test` builds them before any test starts; they are found beside this program. A run of the suite alone
//! (`cargo test -p wengert-tests`) uses those built last.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The numbered lessons, by name.
fn lessons() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let mut lessons: Vec<PathBuf> = [folder.join("interop"), folder]
        .iter()
        .flat_map(|folder| std::fs::read_dir(folder).expect("the workspace has examples"))
        .map(|entry| entry.expect("a directory entry").path())
        .filter(|path| {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            name.ends_with(".rs") && name.starts_with(|c: char| c.is_ascii_digit())
        })
        .collect();
    lessons.sort_by_key(|path| path.file_name().map(OsStr::to_owned));
    lessons
}

#[test]
fn every_numbered_example_runs_and_prints_a_number() {
    let test = std::env::current_exe().expect("the path of this test");
    let built = test.parent().and_then(Path::parent).expect("target/PROFILE/deps").join("examples");
    assert!(!lessons().is_empty());
    for lesson in lessons() {
        let name = lesson.file_stem().expect("a file name").to_string_lossy().into_owned();
        let program = built.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
        let output = Command::new(&program).output().unwrap_or_else(|error| {
            panic!("{}: {error}; build it: cargo build --workspace --examples", program.display())
        });
        let (text, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{name}: {}\n{text}{errors}", output.status);
        assert!(text.contains(|c: char| c.is_ascii_digit()), "{name} prints no number: {text:?}");
    }
}

#[test]
fn every_numbered_example_says_in_two_sentences_what_it_teaches() {
    for lesson in lessons() {
        let source = std::fs::read_to_string(&lesson).expect("a readable example");
        let intro: Vec<&str> = source.lines().map_while(|line| line.strip_prefix("//!")).collect();
        let intro = intro.join(" ");
        let sentences = intro.split_inclusive(['.', '!', '?']).filter(|part| part.trim().len() > 1).count();
        assert_eq!(sentences, 2, "{}: {intro}", lesson.display());
        assert!(source.contains("assert"), "{} asserts nothing", lesson.display());
    }
}
