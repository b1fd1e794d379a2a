//! The numbered examples, run: each prints something and holds what it asserts.
//!
//! `cargo test` builds them before any test starts; they are found beside this program. A run of the suite alone
//! (`cargo test -p wengert-tests`) uses those built last.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

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

/// Runs a lesson: its name, exit code and what it wrote, to the output and as errors.
fn run(lesson: &Path, arguments: &[&str]) -> (String, Output, String, String) {
    let test = std::env::current_exe().expect("the path of this test");
    let built = test.parent().and_then(Path::parent).expect("target/PROFILE/deps").join("examples");
    let name = lesson.file_stem().expect("a file name").to_string_lossy().into_owned();
    let program = built.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    let output = Command::new(&program)
        .args(arguments)
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}; build it: cargo build --workspace --examples", program.display()));
    let [text, errors] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    (name, output, text, errors)
}

/// The sentences that open a lesson.
fn intro(lesson: &Path) -> String {
    let source = std::fs::read_to_string(lesson).expect("a readable example");
    let lines: Vec<&str> = source.lines().map_while(|line| line.strip_prefix("//!")).collect();
    lines.join(" ")
}

#[test]
fn every_numbered_example_runs_and_prints_a_number() {
    assert!(!lessons().is_empty());
    for lesson in lessons() {
        let (name, output, text, errors) = run(&lesson, &[]);
        assert!(output.status.success(), "{name}: {}\n{text}{errors}", output.status);
        assert!(text.contains(|c: char| c.is_ascii_digit()), "{name} prints no number: {text:?}");
    }
}

#[test]
fn every_numbered_example_says_in_two_sentences_what_it_teaches() {
    for lesson in lessons() {
        let source = std::fs::read_to_string(&lesson).expect("a readable example");
        let intro = intro(&lesson);
        let sentences = intro.split_inclusive(['.', '!', '?']).filter(|part| part.trim().len() > 1).count();
        assert_eq!(sentences, 2, "{}: {intro}", lesson.display());
        assert!(source.contains("assert"), "{} asserts nothing", lesson.display());
    }
}

#[test]
fn every_numbered_example_answers_to_help_and_to_nothing_else() {
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    for lesson in lessons() {
        let (name, output, text, errors) = run(&lesson, &["--help"]);
        assert!(output.status.success() && errors.is_empty(), "{name}: {}\n{text}{errors}", output.status);
        let taught = words(&intro(&lesson));
        assert!(words(&text).starts_with(&taught) && text.contains("--help"), "{name}: {text}");
        let (name, output, text, errors) = run(&lesson, &["--epochs"]);
        assert_eq!((output.status.code(), text.as_str()), (Some(2), ""), "{name}");
        assert_eq!(errors, format!("{name}: unexpected argument '--epochs'; a lesson takes none (see --help)\n"));
    }
}
