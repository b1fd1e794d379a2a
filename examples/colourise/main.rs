//! Colours a grey photograph.
//!
//! A network of filters sees the grey left half of a photograph and learns its colours; then it colours the right half,
//! which it has never seen. The picture it writes shows grey, coloured and true side by side.

mod photo;

use clap::Parser;
use photo::{Photo, PhotoError};
use std::path::PathBuf;
use std::process::ExitCode;
use wengert::nn::{Conv2d, Event};
use wengert::prelude::*;

/// The embedded photograph; `data/README.md` has source and licence.
static FLOWER: &[u8] = include_bytes!("data/flower.png");

/// Learn the colours of one half of a photograph, then colour the other half.
///
/// Without options: takes the embedded photograph and writes out/colourise/flower.png.
#[derive(Debug, Parser)]
#[command(name = "colourise", version)]
struct Cli {
    /// A PNG photograph of yours, at least 64 x 32 pixels, in colour; large ones take long
    #[arg(long, value_name = "FILE.png")]
    photo: Option<PathBuf>,

    /// Passes over the left half
    #[arg(long, value_name = "N", default_value_t = 20)]
    epochs: usize,

    /// Seed of the filters and of the order of the patches
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,

    /// Where the picture goes
    #[arg(long, value_name = "DIR", default_value = "out/colourise")]
    out: PathBuf,
}

/// What can go wrong, in one line.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Photo(#[from] PhotoError),
    #[error(transparent)]
    Training(#[from] wengert::nn::Error),
    #[error(transparent)]
    Shape(#[from] wengert::ShapeError),
}

/// Side and distance of the square patches the network learns from.
const PATCH: isize = 24;
const STEP: usize = 8;

/// Filters over 5 x 5 pixels twice, then over 3 x 3: every pixel's colour is told from the 11 x 11 around it.
fn network(rng: &mut impl rand::Rng) -> Sequential {
    Sequential::new()
        .with(Conv2d::new(1, 16, 5, rng).padding(2)) // [n, 1, h, w] -> [n, 16, h, w]
        .with(Relu)
        .with(Conv2d::new(16, 16, 5, rng).padding(2))
        .with(Relu)
        .with(Conv2d::new(16, 2, 3, rng).padding(1)) // two numbers of colour a pixel
}

/// All patches of `[1, c, h, w]` that lie within the first `width` columns, and their mirror images, so that an edge seen
/// from the left is known from the right too: `[n, c, PATCH, PATCH]`.
fn patches(x: &Tensor<f32>, width: isize) -> Result<Tensor<f32>, wengert::ShapeError> {
    let height = x.shape()[2] as isize;
    let corners = (0..=height - PATCH)
        .step_by(STEP)
        .flat_map(|top| (0..=width - PATCH).step_by(STEP).map(move |left| (top, left)));
    let patches: Vec<_> =
        corners.map(|(top, left)| x.slice(2, top..top + PATCH).slice(3, left..left + PATCH)).collect();
    let patches = Tensor::try_concat(&patches.iter().collect::<Vec<_>>(), 0)?;
    Tensor::try_concat(&[&patches, &patches.flip(3)], 0)
}

/// The root of the mean square of what separates two colourings, in levels of 255.
fn distance(a: &Tensor<f32>, b: &Tensor<f32>) -> f32 {
    255.0 * (a - b).square().mean().sqrt()
}

fn run(cli: &Cli) -> Result<(), Failure> {
    let (photo, name) = match &cli.photo {
        Some(path) => (Photo::read(path)?, path.file_stem().unwrap_or_default().to_string_lossy().into_owned()),
        None => (Photo::decode(FLOWER)?, "flower".to_owned()),
    };
    let (grey, colour) = (photo.grey(), photo.colour());
    let width = grey.shape()[3] as isize;
    let (known, unknown) = (..width / 2, width / 2..);
    println!("{} x {width} pixels; the left half is known, the right half is not", grey.shape()[2]);

    let mut rng = rng(cli.seed);
    let mut model = network(&mut rng);
    Trainer::new(Adam::new(3e-3), loss::mse)
        .epochs(cli.epochs)
        .batch_size(16)
        .seed(cli.seed)
        .on_event(|event| {
            if let Event::Epoch(epoch) = event
                && (epoch.epoch % 5 == 0 || epoch.epoch == epoch.epochs)
            {
                let off = 255.0 * epoch.train.loss.sqrt();
                println!("epoch {:2}/{}  off by {off:.1} levels of 255", epoch.epoch, epoch.epochs);
            }
        })
        .fit(&mut model, &patches(&grey, width / 2)?, &patches(&colour, width / 2)?)?;

    let coloured = model.predict(&grey)?;
    for (half, columns) in [("known", Slice::from(known)), ("unknown", Slice::from(unknown))] {
        let truth = colour.slice(3, columns);
        let (network, grey) = (distance(&coloured.slice(3, columns), &truth), distance(&truth, &truth.zeros_like()));
        println!("{half:>7} half: colours off by {network:.1} levels; left grey, by {grey:.1}");
    }
    let none = Photo::from_parts(&grey, &colour.zeros_like());
    let path = cli.out.join(name).with_extension("png");
    photo::save_beside(&path, &[&none, &Photo::from_parts(&grey, &coloured), &photo])?;
    println!("picture (grey, coloured, as it was): {}", path.display());
    Ok(())
}

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}
