//! A filter is a small picture of what to look for: laid over every place of an image, products summed, it answers how much
//! of it is there.
//! Size, stride, padding and depth say where it is laid, pooling keeps the best answer of a neighbourhood, and a filter need
//! not be drawn by hand: it can be learnt from its answers.

mod lesson;

use wengert::prelude::*;

/// The digit one, `[1, 1, 8, 8]`: images, channels, rows, columns.
fn one() -> Tensor<f64> {
    let rows = ["........", "....#...", "...##...", "..#.#...", "....#...", "....#...", "....#...", "........"];
    Tensor::from_fn([1, 1, 8, 8], |at| if rows[at[2]].as_bytes()[at[3]] == b'#' { 1.0 } else { 0.0 })
}

fn draw(title: &str, image: &Tensor<f64>) {
    println!("{title}: {}", image.shape());
    let image = image.index_axis(0, 0).index_axis(0, 0);
    for row in image.unbind(0) {
        println!("  {}", row.iter().map(|x| format!("{x:3}")).collect::<String>());
    }
}

fn main() {
    lesson::begin(include_str!("21_filters.rs"));
    let image = one();
    draw("image", &image);

    // It answers 3 where ink is on a column and none is left or right of it. A filter is [filters, channels, rows, columns].
    let upright = Tensor::from([[-1.0, 1.0, -1.0]]).broadcast_to([3, 3]).reshape([1, 1, 3, 3]);
    let answer = image.conv2d(&upright, &Convolution::new());
    draw("where an upright stroke is, by a filter of 3 x 3", &answer);
    assert_eq!(answer.max(), 3.0);
    draw("the best answers of 2 x 2 (max pooling)", &answer.max_pool2d(&Pooling::new(2)));

    // A side of n has (n + 2 padding - size) / stride + 1 places: padding adds a border of zeros, stride leaves places out.
    println!("size stride padding: places along a side of 8");
    for (size, stride, padding) in [(3, 1, 0), (3, 1, 1), (5, 1, 2), (3, 2, 1), (2, 2, 0)] {
        let filter = Tensor::<f64>::ones([1, 1, size, size]);
        let places = image.conv2d(&filter, &Convolution::new().stride(stride).padding(padding)).dim(-1);
        println!("{size:4} {stride:6} {padding:7}: {places}");
        assert_eq!(places, (8 + 2 * padding - size) / stride + 1);
    }

    // Depth: a filter spans all channels of its input, and there is a channel of answers for every filter.
    let (photo, filters) = (Tensor::<f64>::ones([1, 3, 8, 8]), Tensor::ones([16, 3, 5, 5]));
    let answers = photo.conv2d(&filters, &Convolution::new());
    println!(
        "16 filters of 5 x 5 over 3 channels, {} weights: {} to {}",
        filters.len(),
        photo.shape(),
        answers.shape()
    );
    assert_eq!(*answers.shape(), [1, 16, 4, 4]);

    // Someone used a filter on noise and shows what came out: the mean squared error leads back to the filter.
    let noise = Tensor::normal([4, 1, 8, 8], 0.0, 1.0, &mut rng(0));
    let shown = noise.conv2d(&upright, &Convolution::new());
    let (mut learnt, mut tape, mut steps) = (Tensor::zeros([1, 1, 3, 3]), Tape::new(), 0);
    loop {
        let filter = tape.tensor(&learnt);
        let answer = tape.constant_tensor(&noise).conv2d(filter, &Convolution::new());
        let mse = (answer - &shown).square().mean();
        if mse.item() < 1e-12 {
            break;
        }
        let gradient = mse.gradient()[filter].clone();
        tape.clear();
        learnt.add_scaled(-0.3, &gradient);
        steps += 1;
    }
    println!("learnt in {steps} steps from its answers: {:.3?}", learnt.to_vec());
    assert!((learnt - upright).abs().max() < 1e-5 && steps < 200);
}
