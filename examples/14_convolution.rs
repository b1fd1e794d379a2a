//! An image is more than a list of pixels: a filter that has learnt a stroke finds it wherever it is drawn.
//! This lesson reads handwritten digits with two layers of such filters, each followed by the largest answer nearby.

mod lesson;

use flate2::read::GzDecoder;
use std::error::Error;
use std::io::Read;
use std::time::Instant;
use wengert::prelude::*;

/// 1797 digits of 8 x 8 pixels, a row each, then the label; `digits/data/README.md` has source and licence.
static DIGITS: &[u8] = include_bytes!("digits/data/digits.csv.gz");

/// Images `[n, 1, 8, 8]` with ink 1 on paper 0, and their labels.
fn digits() -> Result<(Tensor<f32>, Tensor<i64>), Box<dyn Error>> {
    let mut text = String::new();
    GzDecoder::new(DIGITS).read_to_string(&mut text)?;
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    for row in text.lines() {
        let numbers = row.split(',').map(str::parse).collect::<Result<Vec<i64>, _>>()?;
        let (image, label) = numbers.split_at(64);
        pixels.extend(image.iter().map(|&ink| ink as f32 / 16.0));
        labels.extend(label);
    }
    Ok((Tensor::from_vec([labels.len(), 1, 8, 8], pixels), labels.into_iter().collect()))
}

fn main() -> Result<(), Box<dyn Error>> {
    lesson::begin(include_str!("14_convolution.rs"));
    let (images, labels) = digits()?;
    let part = |range: std::ops::Range<isize>| (images.slice(0, range.clone()), labels.slice(0, range));
    let ((train_images, train_labels), (test_images, test_labels)) = (part(0..1437), part(1437..1797));

    let mut rng = rng(0);
    let mut model: Sequential = Sequential::new()
        .with(Conv2d::new(1, 16, 3, &mut rng).padding(1)) // [n, 1, 8, 8] -> [n, 16, 8, 8]
        .with(Relu)
        .with(MaxPool2d::new(2)) // [n, 16, 4, 4]
        .with(Conv2d::new(16, 32, 3, &mut rng).padding(1)) // [n, 32, 4, 4]
        .with(Relu)
        .with(MaxPool2d::new(2)) // [n, 32, 2, 2]
        .with(Flatten)
        .with(Linear::new(128, 64, &mut rng))
        .with(Relu)
        .with(Linear::new(64, 10, &mut rng));

    let start = Instant::now();
    let history = Trainer::new(Sgd::new(0.05).momentum(0.9), loss::cross_entropy)
        .epochs(20)
        .batch_size(32)
        .test_data(&test_images, &test_labels)
        .fit(&mut model, &train_images, &train_labels)?;
    let test = history.last().and_then(|epoch| epoch.test).ok_or("no epoch")?;
    let accuracy = test.accuracy.ok_or("no labels")?;
    println!("{:.1} % of 360 new digits read right, after {:.2?}", 100.0 * accuracy, start.elapsed());
    assert!(accuracy > 0.94, "networks of full layers alone get 0.91; filters should get further");

    // Filters do not care where the stroke is: shift a digit, and the first layer's answer shifts with it.
    let first = Conv2d::<f32>::new(1, 1, 3, &mut rng);
    let shifted = |x: &Tensor<f32>| x.slice(3, 1..);
    let (before, after) = (first.predict(&images)?, first.predict(&shifted(&images))?);
    assert!((shifted(&before) - after).abs().max() < 1e-6);
    Ok(())
}
