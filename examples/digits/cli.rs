//! The command line.

use std::path::PathBuf;
use std::str::FromStr;

use clap::error::ErrorKind;
use clap::{Parser, ValueEnum};

use crate::config::Optimizer;

/// Units a hidden layer may have; beyond it a typing error is likelier than a wish.
const MAX_UNITS: usize = 1 << 16;

/// Learn to read handwritten digits with a small neural network.
///
/// Without options: trains on 1437 of the embedded UCI digits, tests on the other 360, and writes pictures of what was learnt to out/digits.
#[derive(Debug, Parser)]
#[command(name = "digits", version)]
pub struct Cli {
    /// Read MNIST-format IDX files (plain or gzip) from a folder instead of the embedded digits
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,

    /// Passes over the training set
    #[arg(long, value_name = "N", default_value = "30", value_parser = count)]
    pub epochs: usize,

    /// Images per step
    #[arg(long, value_name = "N", default_value = "32", value_parser = count)]
    pub batch: usize,

    /// Learning rate [default: 0.05 for sgd, 0.002 for adam and adamw]
    #[arg(long, value_name = "RATE", value_parser = positive)]
    pub lr: Option<f64>,

    /// Seed of parameters, batches and shuffled split
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,

    /// How the gradient changes the parameters
    #[arg(long, value_name = "NAME", value_enum, default_value = "sgd", hide_possible_values = true, help = optimizer_help())]
    pub optimizer: Optimizer,

    /// Units of the hidden layers, as 64 or 128,64; none for softmax regression [default: 128,64]
    #[arg(long, value_name = "UNITS")]
    pub hidden: Option<Hidden>,

    /// First images train and last ones test, or a random choice by the seed
    #[arg(long, value_name = "HOW", value_enum, default_value = "order")]
    pub split: SplitKind,

    /// Also train softmax regression and print how much the hidden layers gain over it
    #[arg(long, conflicts_with = "load")]
    pub baseline: bool,

    /// Save the trained network as safetensors
    #[arg(long, value_name = "FILE", conflicts_with = "load")]
    pub save: Option<PathBuf>,

    /// Test a saved network instead of training one
    #[arg(long, value_name = "FILE")]
    pub load: Option<PathBuf>,

    /// Classify a PNG picture of one digit with the network of --load
    #[arg(long, value_name = "FILE.png", requires = "load")]
    pub predict: Option<PathBuf>,

    /// Folder for the pictures
    #[arg(long, value_name = "DIR", default_value = "out/digits")]
    pub out: PathBuf,

    /// Threads to compute with; the numbers do not depend on it [default: all cores]
    #[arg(long, value_name = "N", value_parser = count)]
    pub threads: Option<usize>,
}

/// How a set becomes a training and a test part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SplitKind {
    /// As the files have it.
    Order,
    /// A random choice by the seed.
    Shuffled,
}

/// Units of each hidden layer, first layer first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hidden(pub Vec<usize>);

impl Default for Hidden {
    fn default() -> Self {
        Self(vec![128, 64])
    }
}

impl FromStr for Hidden {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self(Vec::new()));
        }
        text.split(',')
            .map(|units| match units.trim().parse() {
                Ok(units @ 1..=MAX_UNITS) => Ok(units),
                _ => Err(format!("'{units}' is not a number of units from 1 to {MAX_UNITS}")),
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

/// The text of a refused command line on one line, or the help that was asked for.
#[derive(Debug, PartialEq)]
pub enum Refusal {
    /// Help or version, for standard output; not an error.
    Help(String),
    /// What is wrong, without the leading `error:`.
    Wrong(String),
}

impl Cli {
    /// Parses arguments, the program's name first.
    ///
    /// # Errors
    /// [`Refusal`], also when help was asked for.
    pub fn parse_arguments(arguments: impl IntoIterator<Item = std::ffi::OsString>) -> Result<Self, Refusal> {
        Self::try_parse_from(arguments).map_err(|error| {
            let text = error.render().to_string();
            match error.kind() {
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Refusal::Help(text),
                _ => Refusal::Wrong(one_line(&text)),
            }
        })
    }

    /// The learning rate given, or the one that suits the optimizer.
    pub fn learning_rate(&self) -> f64 {
        self.lr.unwrap_or_else(|| self.optimizer.default_learning_rate())
    }
}

/// Clap's message without its heading, usage and advice to ask for help, which would fill half a screen in a log.
fn one_line(text: &str) -> String {
    let lines =
        text.lines().map(str::trim).take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more"));
    let joined = lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ");
    joined.strip_prefix("error: ").unwrap_or(&joined).to_owned() + " (see --help)"
}

fn optimizer_help() -> String {
    format!(
        "sgd (momentum {}), adam, or adamw (weight decay {}): how the gradient changes the parameters",
        Optimizer::MOMENTUM,
        Optimizer::WEIGHT_DECAY
    )
}

fn count(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("must be at least 1".to_owned()),
        Ok(count) => Ok(count),
        Err(error) => Err(format!("{error}; expected a whole number from 1")),
    }
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate.is_finite() && rate > 0.0 => Ok(rate),
        _ => Err("expected a finite number above 0".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(line: &str) -> Result<Cli, Refusal> {
        Cli::parse_arguments(std::iter::once("digits").chain(line.split_whitespace()).map(Into::into))
    }

    fn refusal(line: &str) -> String {
        match parse(line) {
            Err(Refusal::Wrong(text)) => text,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_defaults_train_the_main_job() {
        let cli = parse("").expect("no arguments");
        assert_eq!(
            (cli.epochs, cli.batch, cli.seed, cli.optimizer, cli.split),
            (30, 32, 0, Optimizer::Sgd, SplitKind::Order)
        );
        assert_eq!((cli.learning_rate(), cli.hidden.unwrap_or_default().0), (0.05, vec![128, 64]));
    }

    #[test]
    fn the_learning_rate_follows_the_optimizer_unless_given() {
        assert_eq!(parse("--optimizer adam").expect("valid").learning_rate(), 0.002);
        assert_eq!(parse("--optimizer adamw --lr 1e-4").expect("valid").learning_rate(), 1e-4);
    }

    #[test]
    fn hidden_layers_are_a_list_or_none() {
        assert_eq!(parse("--hidden 128,64").expect("valid").hidden, Some(Hidden(vec![128, 64])));
        assert_eq!(parse("--hidden none").expect("valid").hidden, Some(Hidden(vec![])));
        for bad in ["0", "64,", "64,x", "-1", "65537", "99999999999999999999"] {
            assert!(refusal(&format!("--hidden={bad}")).contains("is not a number of units from 1 to 65536"), "{bad}");
        }
    }

    #[test]
    fn every_refusal_is_one_line_that_names_the_option() {
        let cases = [
            ("--epochs 0", "invalid value '0' for '--epochs <N>': must be at least 1 (see --help)"),
            (
                "--batch x",
                "invalid value 'x' for '--batch <N>': invalid digit found in string; expected a whole number from 1 (see --help)",
            ),
            ("--lr nan", "invalid value 'nan' for '--lr <RATE>': expected a finite number above 0 (see --help)"),
            ("--lr inf", "invalid value 'inf' for '--lr <RATE>': expected a finite number above 0 (see --help)"),
            ("--lr=-1", "invalid value '-1' for '--lr <RATE>': expected a finite number above 0 (see --help)"),
            (
                "--optimizer lion",
                "invalid value 'lion' for '--optimizer <NAME>' [possible values: sgd, adam, adamw] (see --help)",
            ),
            ("--split odd", "invalid value 'odd' for '--split <HOW>' [possible values: order, shuffled] (see --help)"),
            ("--predict a.png", "the following required arguments were not provided: --load <FILE> (see --help)"),
            ("--save a --load b", "the argument '--save <FILE>' cannot be used with '--load <FILE>' (see --help)"),
            ("--sed 1", "unexpected argument '--sed' found tip: a similar argument exists: '--seed' (see --help)"),
            ("--threads 0", "invalid value '0' for '--threads <N>': must be at least 1 (see --help)"),
        ];
        for (line, expected) in cases {
            assert_eq!(refusal(line), expected);
        }
    }

    #[test]
    fn help_is_not_an_error_and_names_every_option() {
        let Err(Refusal::Help(text)) = parse("--help") else { panic!("help") };
        for option in Cli::command().get_arguments() {
            assert!(text.contains(&format!("--{}", option.get_id())), "{}", option.get_id());
        }
    }
}
