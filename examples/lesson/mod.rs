//! What a lesson answers on the command line: `--help`, and that it takes nothing else.

use std::env;
use std::io::{self, Write};
use std::process::exit;

/// Called first in a lesson's `main`, with its `source`, whose first comment says what it shows.
///
/// Returns if nothing was asked. After `--help` the process ends here, after anything else with a line of complaint and
/// the exit code 2.
pub fn begin(source: &str) {
    let Some(argument) = env::args_os().nth(1) else { return };
    let name = env!("CARGO_BIN_NAME");
    if argument != "--help" && argument != "-h" {
        eprintln!("{name}: unexpected argument '{}'; a lesson takes none (see --help)", argument.display());
        exit(2);
    }
    let mut text = String::new();
    for line in source.lines().map_while(|line| line.strip_prefix("//!")) {
        text += line.trim_start();
        text += "\n";
    }
    text += &format!("\nUsage: {name}\n\nOptions:\n  -h, --help  Print this\n");
    // Whoever closed the pipe has read enough.
    _ = io::stdout().write_all(text.as_bytes());
    exit(0);
}
