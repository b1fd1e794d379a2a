//! Learn to read handwritten digits: `cargo run --release --example digits`.
//!
//! Trains a small network on real handwriting, shows how well it reads digits it has not seen, and leaves pictures of what it learnt.
//! The training itself, the part to read first, is `train.rs`; everything else is the program around it.

mod cli;
mod config;
mod data;
mod history;
mod idx;
mod metrics;
mod pictures;
mod predict;
mod report;
mod train;

use std::error::Error;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use cli::{Cli, Refusal, SplitKind};
use config::{Architecture, Config};
use data::{DIGITS_TRAIN_LEN, Dataset, Split};
use history::{EpochReport, Event};
use idx::Loaded;
use metrics::Confusion;
use pictures::Caption;
use report::Progress;
use train::Trained;

/// What this program refuses beyond what its parts do.
#[derive(Debug, thiserror::Error)]
enum Refused {
    /// A folder that is to be written to cannot be.
    #[error("{}: cannot be written to: {source}", path.display())]
    Folder { path: PathBuf, source: io::Error },

    /// A saved network has other layers than asked for or needed.
    #[error("{}: holds a network of layers {found}, but {why} {expected}", path.display())]
    Architecture { path: PathBuf, found: Architecture, why: &'static str, expected: String },

    /// A saved network does not read square images.
    #[error("{}: reads {inputs} pixels, which is no square image; add --data with the images it was trained on", path.display())]
    NotSquare { path: PathBuf, inputs: usize },
}

fn main() -> ExitCode {
    let cli = match Cli::parse_arguments(std::env::args_os()) {
        Ok(cli) => cli,
        Err(Refusal::Help(text)) => {
            return finish(say(&text));
        }
        Err(Refusal::Wrong(text)) => return fail(&text),
    };
    finish(train::with_threads(cli.threads, || run(&cli)))
}

fn finish(outcome: Result<(), Box<dyn Error>>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        // `digits | head` has read enough; that is no fault.
        Err(error)
            if error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe) =>
        {
            ExitCode::SUCCESS
        }
        Err(error) => fail(&error.to_string()),
    }
}

/// Writes to standard output; `println!` would panic where the reader has gone.
fn say(text: &str) -> Result<(), Box<dyn Error>> {
    io::stdout().write_all(text.as_bytes())?;
    Ok(())
}

/// One line, whatever a path or a library's message holds.
fn fail(text: &str) -> ExitCode {
    eprintln!("error: {}", text.split_whitespace().collect::<Vec<_>>().join(" "));
    ExitCode::from(2)
}

fn run(cli: &Cli) -> Result<(), Box<dyn Error>> {
    match (&cli.load, &cli.predict) {
        (Some(model), Some(picture)) => classify(cli, model, picture),
        (Some(model), None) => {
            let split = load_data(cli)?;
            let trained = load_model(cli, model, Some(&split.test))?;
            prepare_out(cli)?;
            evaluate(cli, &trained, &split, &[])
        }
        (None, _) => {
            let split = load_data(cli)?;
            prepare_out(cli)?;
            let (trained, history) = fit(cli, &split)?;
            evaluate(cli, &trained, &split, &history)?;
            if let Some(path) = &cli.save {
                trained.save(path)?;
                say(&format!("network saved to {}\n", path.display()))?;
            }
            Ok(())
        }
    }
}

/// The images to train and test with, announced on standard output.
fn load_data(cli: &Cli) -> Result<Split, Box<dyn Error>> {
    let (split, source) = match &cli.data {
        None => {
            let digits = Dataset::digits()?;
            (divide(&digits, DIGITS_TRAIN_LEN, cli)?, "UCI handwritten digits".to_owned())
        }
        Some(dir) => match idx::load(dir)? {
            Loaded::Both(split) if cli.split == SplitKind::Shuffled => {
                (split.reshuffled(cli.seed)?, dir.display().to_string())
            }
            Loaded::Both(split) => (split, dir.display().to_string()),
            Loaded::One(data, stem) => {
                let note = format!("{} (only {stem} files there: 80 % of them train, 20 % test)", dir.display());
                (divide(&data, data.len() * 4 / 5, cli)?, note)
            }
        },
    };
    let how = match cli.split {
        SplitKind::Order => "in file order",
        SplitKind::Shuffled => "shuffled",
    };
    let Split { train, test } = &split;
    say(&format!(
        "{source}: {} train, {} test, {how}, {} x {}, {} classes\n",
        train.len(),
        test.len(),
        train.rows,
        train.cols,
        train.classes
    ))?;
    Ok(split)
}

fn divide(data: &Dataset, train_len: usize, cli: &Cli) -> Result<Split, data::DataError> {
    match cli.split {
        SplitKind::Order => Split::in_order(data, train_len),
        SplitKind::Shuffled => Split::shuffled(data, train_len, cli.seed),
    }
}

/// Finds out before the training, not after it, that its results cannot be written.
fn prepare_out(cli: &Cli) -> Result<(), Refused> {
    let refused = |path: &Path, source| Refused::Folder { path: path.to_owned(), source };
    fs::create_dir_all(&cli.out).map_err(|source| refused(&cli.out, source))?;
    if let Some(folder) = cli.save.as_deref().and_then(Path::parent).filter(|folder| !folder.as_os_str().is_empty()) {
        fs::metadata(folder).map_err(|source| refused(folder, source))?;
    }
    Ok(())
}

fn fit(cli: &Cli, split: &Split) -> Result<(Trained, Vec<EpochReport>), Box<dyn Error>> {
    let config = Config {
        architecture: Architecture {
            inputs: split.train.pixels(),
            hidden: cli.hidden.clone().unwrap_or_default().0,
            classes: split.train.classes,
        },
        epochs: cli.epochs,
        batch: cli.batch,
        optimizer: cli.optimizer,
        learning_rate: cli.learning_rate(),
        seed: cli.seed,
    };
    let mut baseline = None;
    if cli.baseline {
        let architecture = Architecture { hidden: Vec::new(), ..config.architecture.clone() };
        baseline = Some(observe(cli, split, &Config { architecture, ..config.clone() })?);
    }
    let (trained, history) = observe(cli, split, &config)?;
    if let (Some((_, before)), [.., last]) = (baseline, history.as_slice()) {
        let regression = before.last().map_or(0.0, |report| report.test.accuracy);
        say(&format!(
            "test accuracy {:.4}, {:+.4} over softmax regression ({regression:.4})\n",
            last.test.accuracy,
            last.test.accuracy - regression
        ))?;
    }
    Ok((trained, history))
}

/// Trains and shows the progress.
fn observe(cli: &Cli, split: &Split, config: &Config) -> Result<(Trained, Vec<EpochReport>), Box<dyn Error>> {
    say(&format!("layers {}, {}\n", config.architecture, training_line(cli)))?;
    let mut progress = Progress::new(config.epochs, split.train.len());
    let mut history = Vec::with_capacity(config.epochs.min(1024));
    let outcome = train::fit(&split.train, &split.test, config, |event| {
        progress.show(&event);
        if let Event::Epoch(report) = event {
            history.push(report);
        }
    });
    progress.finish();
    Ok((outcome?, history))
}

fn training_line(cli: &Cli) -> String {
    format!(
        "{}, learning rate {}, batch {}, {} epochs, seed {}",
        cli.optimizer,
        cli.learning_rate(),
        cli.batch,
        cli.epochs,
        cli.seed
    )
}

/// Prints how well the network does and writes the pictures.
fn evaluate(cli: &Cli, trained: &Trained, split: &Split, history: &[EpochReport]) -> Result<(), Box<dyn Error>> {
    let Split { train, test } = split;
    let confusion_of = |data: &Dataset| -> Result<(Vec<u32>, Confusion), train::Error> {
        let predicted = trained.predict(&data.images)?.labels();
        let confusion = Confusion::new(trained.architecture().classes, &data.labels, &predicted);
        Ok((predicted, confusion))
    };
    let (_, on_train) = confusion_of(train)?;
    let (predicted, on_test) = confusion_of(test)?;
    if let Some(accuracy) = on_train.accuracy() {
        say(&format!("\ntraining accuracy {accuracy:.4} ({} of {})\n", on_train.right(), on_train.total()))?;
    }
    say(&format!("\ntest digits\n{}", report::confusion_table(&on_test)))?;

    let layers = trained.architecture().to_string().replace('-', "\u{2013}");
    let score = format!(
        "{} of {} test digits wrong ({:.1} % right)",
        on_test.total() - on_test.right(),
        on_test.total(),
        100.0 * on_test.accuracy().unwrap_or(0.0)
    );
    let mut written = Vec::new();
    let mut save = |name: &str, picture: pictures::Picture| {
        let path = cli.out.join(name);
        picture.save(&path)?;
        written.push(path.display().to_string());
        Ok::<_, pictures::DrawError>(())
    };
    if !history.is_empty() {
        let subtitle = format!("Network {layers} \u{b7} {}", training_line(cli));
        save("curves.png", pictures::curves(history, Caption { title: "Learning curves", subtitle: &subtitle })?)?;
    }
    let subtitle = format!("{score}; the first {} are shown, mistakes framed", test.len().min(pictures::SHOWN_DIGITS));
    save(
        "digits.png",
        pictures::digits(
            test,
            &predicted,
            Caption { title: "Test digits and what the network reads", subtitle: &subtitle },
        )?,
    )?;
    let subtitle = format!("Weights of the first layer of the network {layers}, one image a unit");
    let first = Caption { title: "What the first layer looks for", subtitle: &subtitle };
    save("weights.png", pictures::weights(trained.first_layer(), test.rows, test.cols, first)?)?;
    save(
        "confusion.png",
        pictures::confusion(&on_test, Caption { title: "Which digit is taken for which", subtitle: &score })?,
    )?;
    say(&format!("\npictures: {}\n", written.join(", ")))?;
    Ok(())
}

/// Prints what a saved network reads in a picture.
fn classify(cli: &Cli, model: &Path, picture: &Path) -> Result<(), Box<dyn Error>> {
    let sample = cli.data.as_ref().map(|_| load_data(cli)).transpose()?.map(|split| split.test);
    let trained = load_model(cli, model, sample.as_ref())?;
    let inputs = trained.architecture().inputs;
    let (rows, cols) = match sample {
        Some(data) => (data.rows, data.cols),
        None if inputs.isqrt().pow(2) == inputs => (inputs.isqrt(), inputs.isqrt()),
        None => {
            return Err(Refused::NotSquare { path: model.to_owned(), inputs }.into());
        }
    };
    let digit = predict::read_digit(picture, rows, cols)?;
    let predictions = trained.predict(&digit)?;
    say(&format!("{}: {}\n", picture.display(), predictions.labels()[0]))?;
    say(&report::prediction_table(&predictions))
}

/// Loads a network and compares its layers with those asked for and those that `data` needs.
fn load_model(cli: &Cli, path: &Path, data: Option<&Dataset>) -> Result<Trained, Box<dyn Error>> {
    let trained = Trained::load(path)?;
    let found = trained.architecture();
    let refuse = |why, expected| Refused::Architecture { path: path.to_owned(), found: found.clone(), why, expected };
    if let Some(hidden) = cli.hidden.as_ref().filter(|hidden| hidden.0 != found.hidden) {
        let expected = Architecture { hidden: hidden.0.clone(), ..found.clone() };
        return Err(refuse("--hidden asks for", expected.to_string()).into());
    }
    if let Some(data) = data.filter(|data| data.pixels() != found.inputs || data.classes > found.classes) {
        return Err(refuse("the data needs", format!("{} inputs and {} classes", data.pixels(), data.classes)).into());
    }
    Ok(trained)
}
