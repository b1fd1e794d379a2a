//! Mini-batches: every item once per epoch, in an order that a seed fixes.

use proptest::prelude::*;
use wengert_nn::{Batches, Error};
use wengert_tensor::Tensor;

/// `n` items that are their own targets.
fn items(n: usize) -> (Tensor<f32>, Tensor<i64>) {
    let inputs = Tensor::from_fn([n, 2, 3], |index| (index[0] * 100 + index[1] * 10 + index[2]) as f32);
    (inputs, Tensor::arange(n))
}

fn order(batches: &Batches<f32, i64>, epoch: u64) -> Vec<i64> {
    batches.epoch(epoch).flat_map(|batch| batch.unwrap().targets.to_vec()).collect()
}

proptest! {
    #[test]
    fn every_item_is_in_one_batch_with_its_target(n in 1_usize..80, size in 1_usize..90, seed: Option<u64>, epoch: u64) {
        let (inputs, targets) = items(n);
        let mut batches = Batches::new(&inputs, &targets, size).unwrap();
        if let Some(seed) = seed {
            batches = batches.shuffled(seed);
        }
        let mut seen = Vec::new();
        for (k, batch) in batches.epoch(epoch).enumerate() {
            let batch = batch.unwrap();
            let expected = if k + 1 < n.div_ceil(size) { size } else { n - k * size };
            prop_assert_eq!(batch.len(), expected);
            prop_assert_eq!(batch.inputs.shape().to_vec(), [expected, 2, 3]);
            for (row, target) in batch.targets.iter().enumerate() {
                prop_assert_eq!(batch.inputs.index_axis(0, row as isize), inputs.index_axis(0, target as isize));
            }
            seen.extend(batch.targets.iter());
        }
        prop_assert_eq!(batches.len(), n.div_ceil(size));
        if seed.is_some() {
            seen.sort_unstable();
        }
        prop_assert!(seen.into_iter().eq(0..n as i64));
    }
}

#[test]
fn orders_differ_between_epochs_and_seeds_and_repeat() {
    let (inputs, targets) = items(50);
    let of = |seed| Batches::new(&inputs, &targets, 7).unwrap().shuffled(seed);
    assert_eq!(order(&of(1), 3), order(&of(1), 3));
    assert_ne!(order(&of(1), 3), order(&of(1), 4));
    assert_ne!(order(&of(1), 3), order(&of(2), 3));
    assert!(order(&Batches::new(&inputs, &targets, 7).unwrap(), 3).into_iter().eq(0..50));
}

#[test]
fn short_batches_can_be_left_out() {
    let (inputs, targets) = items(10);
    let batches = Batches::new(&inputs, &targets, 4).unwrap().drop_last();
    assert_eq!((batches.len(), order(&batches, 0)), (2, (0..8).collect()));
    assert!(Batches::new(&inputs, &targets, 11).unwrap().drop_last().is_empty());
}

#[test]
fn views_are_batched_as_they_look() {
    let inputs = Tensor::<f32>::from([[0.0, 1.0, 2.0], [10.0, 11.0, 12.0]]).t();
    let batches = Batches::new(&inputs, &Tensor::<i64>::arange(3), 2).unwrap().shuffled(0);
    for batch in batches.epoch(0) {
        let batch = batch.unwrap();
        for (row, target) in batch.targets.iter().enumerate() {
            assert_eq!(batch.inputs.at([row, 1]), 10.0 + target as f32);
        }
    }
}

#[test]
fn data_that_do_not_go_together_are_typed_errors() {
    let refusal = |inputs: Tensor<f32>, targets: Tensor<i64>, size| match Batches::new(&inputs, &targets, size) {
        Ok(_) => String::new(),
        Err(error @ (Error::Rows { .. } | Error::Setting { .. })) => error.to_string(),
        Err(error) => panic!("{error}"),
    };
    let (inputs, targets) = items(4);
    assert_eq!(
        refusal(inputs.clone(), Tensor::zeros([5]), 2),
        "batches: 4 inputs and 5 targets; give one target per input, and at least one of each"
    );
    assert!(refusal(Tensor::zeros([0, 3]), Tensor::zeros([0]), 2).contains("0 inputs and 0 targets"));
    assert!(refusal(Tensor::scalar(1.0), targets.clone(), 2).contains("0 inputs and 4 targets"));
    assert_eq!(refusal(inputs, targets, 0), "batches: size is 0, expected at least 1");
}
