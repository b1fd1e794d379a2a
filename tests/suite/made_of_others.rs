//! Operations that are made of others refuse what they refuse in their own name, and in the shapes they were given.

use wengert_core::{Error, Tape, TensorVar};
use wengert_tensor::{Convolution, Convolution3d, Interpolation, Padding, ShapeError, Tensor, TransposedConvolution};

type OnTape = Box<dyn for<'t> Fn([TensorVar<'t, f64>; 2]) -> Result<TensorVar<'t, f64>, Error>>;
type Alone = Box<dyn Fn([&Tensor<f64>; 2]) -> Result<Tensor<f64>, ShapeError>>;

/// The name of an operation, the shapes of its operands, and the operation itself.
type Row = (&'static str, &'static [usize], &'static [usize], OnTape, Option<Alone>);

/// Zeros of any shape, in the memory of one.
fn zeros(shape: &[usize]) -> Tensor<f64> {
    Tensor::scalar(0.0).broadcast_to(shape)
}

/// Checks the text of an error, on a tape and of tensors alone, and that nothing is left on the tape.
#[track_caller]
fn refuses(x: &[usize], w: &[usize], on_tape: &OnTape, alone: Option<&Alone>, expected: &str) {
    let tape = Tape::<f64>::new();
    let operands = [tape.tensor(zeros(x)), tape.tensor(zeros(w))];
    let before = tape.size();
    let error = on_tape(operands).map(TensorVar::shape).expect_err(expected);
    assert!(matches!(error, Error::Shape { .. }), "{error}");
    let shown = error.to_string();
    assert!(shown.contains("made_of_others.rs:"), "the line is the caller's: {shown}");
    assert!(shown.ends_with(&format!(": {expected}")), "{shown}\nis not\n{expected}");
    assert_eq!(tape.size(), before, "{expected}");
    if let Some(alone) = alone {
        assert_eq!(alone([&zeros(x), &zeros(w)]).expect_err(expected).to_string(), expected);
    }
}

#[test]
fn convolutions_of_sequences_name_themselves_and_sequences() {
    let plain = Convolution::new();
    let x = [2, 3, 8];
    for (x, w, options, expected) in [
        (&x[1..], &[4, 3, 3][..], plain, "operand of shape [3, 8] has 2 axes; expected sequences, [n, c, l]"),
        (&x, &[3, 3], plain, "operand of shape [3, 3] has 2 axes; expected filters, [out, in / groups, k]"),
        (&x, &[4, 3, 3], plain.stride(0), "stride is 0, expected at least 1"),
        (&x, &[4, 3, 3], plain.dilation(0), "dilation is 0, expected at least 1"),
        (&x, &[4, 3, 0], plain, "kernel size is 0, expected at least 1"),
        (&x, &[4, 3, 3], plain.padding(1 << 31), "padding is 2147483648, expected less than 2^31"),
        (&x, &[4, 3, 3], plain.groups(0), "groups is 0, expected at least 1"),
        (&x, &[4, 1, 3], plain.groups(3), "weight [4, 1, 3] has 4 outputs, not a multiple of its 3 groups"),
        (
            &x,
            &[4, 2, 3],
            plain,
            "x [2, 3, 8] has 3 channels, weight [4, 2, 3] takes 2 in each of 1 groups; a weight is [out, in / groups, k]",
        ),
        (
            &x,
            &[4, 3, 5],
            plain.padding([7, 1]).dilation([1, 3]),
            "the window spans 13 entries of axis 2, x [2, 3, 8] has 8 and a padding of 1 on both sides; use a smaller window or more padding",
        ),
        (
            &[1 << 40, 1, 8],
            &[1 << 40, 1, 1],
            plain,
            "shape [1099511627776, 1099511627776, 8] has more elements than memory can address",
        ),
    ] {
        let on_tape: OnTape = Box::new(move |[x, w]| x.try_conv1d(w, &options));
        refuses(x, w, &on_tape, None, &format!("conv1d: {expected}"));
    }
}

#[test]
fn transposed_convolutions_of_sequences_name_themselves_and_sequences() {
    let plain = TransposedConvolution::new();
    let x = [2, 3, 8];
    for (x, w, options, expected) in [
        (&x[1..], &[3, 4, 3][..], plain, "operand of shape [3, 8] has 2 axes; expected sequences, [n, c, l]"),
        (&x, &[3, 3], plain, "operand of shape [3, 3] has 2 axes; expected filters, [in, out / groups, k]"),
        (&x, &[3, 4, 3], plain.stride(0), "stride is 0, expected at least 1"),
        (&x, &[3, 4, 3], plain.dilation(0), "dilation is 0, expected at least 1"),
        (&x, &[3, 4, 0], plain, "kernel size is 0, expected at least 1"),
        (&x, &[3, 4, 3], plain.padding(1 << 31), "padding is 2147483648, expected less than 2^31"),
        (&x, &[3, 4, 3], plain.groups(0), "groups is 0, expected at least 1"),
        (
            &x,
            &[3, 4, 3],
            plain.groups(2),
            "axis 1 of shape [2, 3, 8] has 3 channels, which 2 groups cannot share evenly; choose a divisor of 3",
        ),
        (
            &x,
            &[2, 4, 3],
            plain,
            "x [2, 3, 8] has 3 channels, weight [2, 4, 3] takes 2; a transposed weight is [in, out / groups, k]",
        ),
        (
            &x,
            &[3, 4, 3],
            plain.output_padding(1),
            "output padding is 1, expected less than the stride or less than the dilation",
        ),
        // Eight entries and three of a filter reach 10.
        (
            &x,
            &[3, 4, 3],
            plain.padding(5),
            "padding is 5, expected less than half of what the filters reach, so that something is left",
        ),
        (
            &[2, 3, 0],
            &[3, 4, 3],
            plain,
            "shape [2, 3, 0] leaves no elements to reduce, and the conv_transpose1d of nothing is not defined; check `is_empty()` first",
        ),
        (
            &[1 << 40, 1, 8],
            &[1, 1 << 40, 1],
            plain,
            "shape [1099511627776, 1099511627776, 8] has more elements than memory can address",
        ),
    ] {
        let on_tape: OnTape = Box::new(move |[x, w]| x.try_conv_transpose1d(w, &options));
        let alone: Alone = Box::new(move |[x, w]| x.try_conv_transpose1d(w, &options));
        refuses(x, w, &on_tape, Some(&alone), &format!("conv_transpose1d: {expected}"));
    }
}

#[test]
fn adaptive_poolings_of_sequences_name_themselves_and_sequences() {
    for (x, output, expected) in [
        (&[3, 8][..], 2, "operand of shape [3, 8] has 2 axes; expected sequences, [n, c, l]"),
        (&[2, 3, 8], 0, "output size is 0, expected at least 1"),
        (&[2, 3, 8], 1 << 31, "output size is 2147483648, expected less than 2^31"),
        (
            &[1 << 40, 1 << 20, 1],
            1 << 20,
            "shape [1099511627776, 1048576, 1048576] has more elements than memory can address",
        ),
    ] {
        let on_tape: OnTape = Box::new(move |[x, _]| x.try_adaptive_avg_pool1d(output));
        let alone: Alone = Box::new(move |[x, _]| x.try_adaptive_avg_pool1d(output));
        refuses(x, &[], &on_tape, Some(&alone), &format!("adaptive_avg_pool1d: {expected}"));
        let on_tape: OnTape = Box::new(move |[x, _]| x.try_adaptive_max_pool1d(output));
        let alone: Alone = Box::new(move |[x, _]| x.try_adaptive_max_pool1d(output));
        refuses(x, &[], &on_tape, Some(&alone), &format!("adaptive_max_pool1d: {expected}"));
    }
    let of_nothing = |op: &str| {
        format!(
            "{op}: shape [2, 3, 0] leaves no elements to reduce, and the {op} of nothing is not defined; check `is_empty()` first"
        )
    };
    let on_tape: OnTape = Box::new(|[x, _]| x.try_adaptive_avg_pool1d(2));
    refuses(&[2, 3, 0], &[], &on_tape, None, &of_nothing("adaptive_avg_pool1d"));
    let on_tape: OnTape = Box::new(|[x, _]| x.try_adaptive_max_pool1d(2));
    refuses(&[2, 3, 0], &[], &on_tape, None, &of_nothing("adaptive_max_pool1d"));
}

#[test]
fn memory_that_is_not_there_is_missed_by_the_op_that_was_called() {
    const MANY: usize = 1 << 46; // times 8 bytes: more than a program can address, whatever the machine promises
    let sequences: &[usize] = &[MANY, 1, 4];
    let images: &[usize] = &[MANY, 1, 1, 4];
    let volumes: &[usize] = &[MANY, 1, 1, 1, 4];
    let convolution = Convolution::new();
    let transposed = TransposedConvolution::new();
    // What is added behind is added as zeros behind the operand where it is a stride or more.
    let behind = transposed.dilation(3).output_padding([0, 2]);
    let (volume, padded) = (Convolution3d::new(), Convolution3d::new().padding([1, 0, 0]));
    let bilinear = Interpolation::Bilinear { align_corners: false };
    let rows: Vec<Row> = vec![
        ("conv1d", sequences, &[1, 1, 1], Box::new(move |[x, w]| x.try_conv1d(w, &convolution)), None),
        (
            "conv_transpose1d",
            sequences,
            &[1, 1, 1],
            Box::new(move |[x, w]| x.try_conv_transpose1d(w, &transposed)),
            Some(Box::new(move |[x, w]| x.try_conv_transpose1d(w, &transposed))),
        ),
        (
            "conv_transpose2d",
            images,
            &[1, 1, 1, 1],
            Box::new(move |[x, w]| x.try_conv_transpose2d(w, &behind)),
            Some(Box::new(move |[x, w]| x.try_conv_transpose2d(w, &behind))),
        ),
        (
            "conv3d",
            volumes,
            &[1, 1, 1, 1, 1],
            Box::new(move |[x, w]| x.try_conv3d(w, &volume)),
            Some(Box::new(move |[x, w]| x.try_conv3d(w, &volume))),
        ),
        (
            "conv3d",
            volumes,
            &[1, 1, 1, 1, 1],
            Box::new(move |[x, w]| x.try_conv3d(w, &padded)),
            Some(Box::new(move |[x, w]| x.try_conv3d(w, &padded))),
        ),
        (
            "pad",
            images,
            &[],
            Box::new(|[x, _]| x.try_pad(&[(1, 2)], Padding::Constant(0.0))),
            Some(Box::new(|[x, _]| x.try_pad(&[(1, 2)], Padding::Constant(0.0)))),
        ),
        (
            "interpolate",
            images,
            &[],
            Box::new(move |[x, _]| x.try_interpolate([2, 3], bilinear)),
            Some(Box::new(move |[x, _]| x.try_interpolate([2, 3], bilinear))),
        ),
    ];
    let pooled = [1, 2, 3].into_iter().flat_map(|output| -> [Row; 4] {
        [
            (
                "adaptive_avg_pool1d",
                sequences,
                &[],
                Box::new(move |[x, _]| x.try_adaptive_avg_pool1d(output)),
                Some(Box::new(move |[x, _]| x.try_adaptive_avg_pool1d(output))),
            ),
            (
                "adaptive_max_pool1d",
                sequences,
                &[],
                Box::new(move |[x, _]| x.try_adaptive_max_pool1d(output)),
                Some(Box::new(move |[x, _]| x.try_adaptive_max_pool1d(output))),
            ),
            (
                "adaptive_avg_pool2d",
                images,
                &[],
                Box::new(move |[x, _]| x.try_adaptive_avg_pool2d([1, output])),
                Some(Box::new(move |[x, _]| x.try_adaptive_avg_pool2d([1, output]))),
            ),
            (
                "adaptive_max_pool2d",
                images,
                &[],
                Box::new(move |[x, _]| x.try_adaptive_max_pool2d([1, output])),
                Some(Box::new(move |[x, _]| x.try_adaptive_max_pool2d([1, output]))),
            ),
        ]
    });
    for (op, x, w, on_tape, alone) in rows.into_iter().chain(pooled) {
        let tape = Tape::<f64>::new();
        let operands = [tape.tensor(zeros(x)), tape.tensor(zeros(w))];
        let error = on_tape(operands).map(TensorVar::shape).expect_err(op);
        assert_eq!(tape.size().tensors, 2, "{op} leaves nothing");
        let shown = error.to_string();
        assert!(shown.contains("made_of_others.rs:"), "{shown}");
        assert!(shown.contains(&format!(": {op}: no memory for ")), "{op}: {shown}");
        // Where the part failed at the operand itself, that is the operand as it was given.
        assert!(!shown.contains("[70368744177664, 1, 1, 4]") || x.len() > 3, "{op}: {shown}");
        if let Some(alone) = alone {
            let shown = alone([&zeros(x), &zeros(w)]).expect_err(op).to_string();
            assert!(shown.starts_with(&format!("{op}: no memory for ")), "{op}: {shown}");
        }
    }
}

#[test]
fn images_too_large_for_the_places_of_a_pooling_are_named_by_the_adaptive_one() {
    let on_tape: OnTape = Box::new(|[x, _]| x.try_adaptive_max_pool2d(1));
    let alone: Alone = Box::new(|[x, _]| x.try_adaptive_max_pool2d(1));
    let expected = "shape [1, 1, 1048576, 1048576] has more elements than memory can address";
    refuses(&[1, 1, 1 << 20, 1 << 20], &[], &on_tape, Some(&alone), &format!("adaptive_max_pool2d: {expected}"));
    let tape = Tape::<f64>::new();
    let refused = tape.tensor(zeros(&[1, 1, 1 << 32])).try_adaptive_max_pool1d(4);
    let shown = refused.map(TensorVar::shape).expect_err("too long").to_string();
    let expected = ": adaptive_max_pool1d: shape [1, 1, 4294967296] has more elements than memory can address";
    assert!(shown.ends_with(expected), "{shown}");
}

#[test]
fn operands_of_two_tapes_are_named_by_the_op_that_was_called() {
    let (first, second) = (Tape::<f64>::new(), Tape::<f64>::new());
    let operands = |rank: usize| (first.tensor(zeros(&vec![1; rank])), second.tensor(zeros(&vec![1; rank])));
    let ((x, w), (x3, w3)) = (operands(3), operands(5));
    let before = (first.size(), second.size());
    let transposed = TransposedConvolution::new();
    for (op, refused) in [
        ("conv1d", x.try_conv1d(w, &Convolution::new())),
        ("conv_transpose1d", x.try_conv_transpose1d(w, &transposed)),
        ("conv3d", x3.try_conv3d(w3, &Convolution3d::new())),
    ] {
        let error = refused.map(TensorVar::shape).expect_err(op);
        assert!(matches!(error, Error::MixedTapes { op: named, .. } if named == op), "{op}: {error}");
        assert!(error.to_string().contains("made_of_others.rs:"), "{error}");
    }
    assert_eq!((first.size(), second.size()), before, "neither tape keeps a part of them");
}

#[test]
fn listings_name_the_convolution_that_was_called() {
    let tape = Tape::<f64>::new();
    let [x, w] = [[1, 1, 4], [1, 1, 2]].map(|shape: [usize; 3]| tape.tensor(Tensor::ones(shape)));
    let [volume, filter] = [[1, 1, 2, 2, 2], [1, 1, 1, 1, 1]].map(|shape: [usize; 5]| tape.tensor(Tensor::ones(shape)));
    x.conv1d(w, &Convolution::new());
    x.conv_transpose1d(w, &TransposedConvolution::new());
    volume.conv3d(filter, &Convolution3d::new());
    let drawn = tape.to_graphviz();
    for name in ["conv1d", "conv_transpose1d", "conv3d"] {
        assert!(drawn.contains(name), "{name}: {drawn}");
    }
    assert!(!drawn.contains("conv2d") && !drawn.contains("conv_transpose2d"), "{drawn}");
}
