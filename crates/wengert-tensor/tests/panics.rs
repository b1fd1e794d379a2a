//! What a user sees when something does not fit: the text of the error, at their own line.
//!
//! One test, because the panic hook belongs to the whole process.

use std::panic::{catch_unwind, set_hook, take_hook};
use std::sync::Mutex;

use wengert_tensor::{Slice, Tensor};

/// The file and the line of the last panic.
static PLACE: Mutex<(String, u32)> = Mutex::new((String::new(), 0));

fn ones(shape: &[usize]) -> Tensor<f64> {
    Tensor::ones(shape)
}

/// Runs a call that must panic; returns the text, the file and the line of the panic.
fn panic_of<R>(call: impl FnOnce() -> R + std::panic::UnwindSafe) -> (String, String, u32) {
    let Err(payload) = catch_unwind(call) else { return ("no panic".to_owned(), String::new(), 0) };
    let text = payload.downcast_ref::<String>().map_or("no text", String::as_str).to_owned();
    let (file, line) = PLACE.lock().unwrap().clone();
    (text, file, line)
}

#[test]
fn panics_have_the_text_of_the_error_and_the_line_of_the_caller() {
    let hook = take_hook();
    set_hook(Box::new(|info| {
        if let Some(place) = info.location() {
            *PLACE.lock().unwrap() = (place.file().to_owned(), place.line());
        }
    }));
    // Compared when the usual hook is back, else a difference would be silent.
    let mut pairs = Vec::new();
    macro_rules! both {
        ($($panics:expr, $error:expr;)*) => { $(
            // `line!()` is where the list starts; its entries have a line each.
            let expected = ($error.unwrap_err().to_string(), file!().to_owned(), line!() + 1 + pairs.len() as u32);
            pairs.push((stringify!($panics), panic_of(|| $panics), expected));
        )* };
    }
    let labels = Tensor::from([7_i64]);
    both! {
        &ones(&[2, 3]) + &ones(&[4]), ones(&[2, 3]).try_add(&ones(&[4]));
        &ones(&[2, 3]) - ones(&[4]), ones(&[2, 3]).try_sub(&ones(&[4]));
        ones(&[2, 3]) * &ones(&[4]), ones(&[2, 3]).try_mul(&ones(&[4]));
        ones(&[2, 3]) / ones(&[4]), ones(&[2, 3]).try_div(&ones(&[4]));
        1 / Tensor::from([1, 0]), Tensor::from([1, 0]).try_div(&Tensor::from([1, 0]));
        { let mut x = ones(&[3]); x += ones(&[2, 3]) }, ones(&[3]).try_add_assign(&ones(&[2, 3]));
        ones(&[3]).add_scaled(2.0, &ones(&[2])), ones(&[3]).try_add_scaled(2.0, &ones(&[2]));
        ones(&[3]).powf(ones(&[2])), ones(&[3]).try_zip_binary(wengert_tensor::Binary::Powf, &ones(&[2]));
        ones(&[3]).less(ones(&[2])), ones(&[3]).try_less(ones(&[2]));
        Tensor::from([true]).select(ones(&[2]), ones(&[3])), Tensor::from([true]).try_select(ones(&[2]), ones(&[3]));
        ones(&[3]).zip_map(&ones(&[2]), |a, _| a), ones(&[3]).try_zip_map(&ones(&[2]), |a, _| a);
        ones(&[3]).t(), ones(&[3]).try_t();
        ones(&[3]).transpose(0, 1), ones(&[3]).try_transpose(0, 1);
        ones(&[3, 2]).permute([0, 0]), ones(&[3, 2]).try_permute([0, 0]);
        ones(&[3]).broadcast_to([2]), ones(&[3]).try_broadcast_to([2]);
        ones(&[3]).squeeze(0), ones(&[3]).try_squeeze(0);
        ones(&[3]).unsqueeze(2), ones(&[3]).try_unsqueeze(2);
        ones(&[3]).reshape([2]), ones(&[3]).try_reshape([2]);
        ones(&[3]).reshape_infer([None, Some(2)]), ones(&[3]).try_reshape_infer([None, Some(2)]);
        ones(&[3]).slice(0, 2..7), ones(&[3]).try_slice(0, 2..7);
        ones(&[3]).slice(0, Slice::from(..).step(0)), ones(&[3]).try_slice(0, Slice::from(..).step(0));
        ones(&[3]).flip(1), ones(&[3]).try_flip(1);
        ones(&[3]).index_axis(0, 3), ones(&[3]).try_index_axis(0, 3);
        ones(&[3]).split(0, &[1]), ones(&[3]).try_split(0, &[1]);
        ones(&[3]).at([3]), ones(&[3]).try_at([3]);
        ones(&[3]).item(), ones(&[3]).try_item();
        Tensor::concat(&[&ones(&[3]), &ones(&[3, 1])], 0), Tensor::try_concat(&[&ones(&[3]), &ones(&[3, 1])], 0);
        Tensor::stack(&[&ones(&[3]), &ones(&[2])], 0), Tensor::try_stack(&[&ones(&[3]), &ones(&[2])], 0);
        ones(&[3]).gather_rows(&labels), ones(&[3]).try_gather_rows(&labels);
        ones(&[3]).scatter_add_rows(&labels, &ones(&[1])), ones(&[3]).try_scatter_add_rows(&labels, &ones(&[1]));
        ones(&[3]).sum_axes(1), ones(&[3]).try_sum_axes(1);
        ones(&[0]).mean(), ones(&[0]).try_mean();
        ones(&[0]).max_axes(0), ones(&[0]).try_max_axes(0);
        ones(&[0]).argmin(), ones(&[0]).try_argmin();
        ones(&[0]).argmax_axis(0), ones(&[0]).try_argmax_axis(0);
        ones(&[3]).dot(&ones(&[2])), ones(&[3]).try_dot(&ones(&[2]));
        ones(&[3]).sum_to([2]), ones(&[3]).try_sum_to(&[2].into());
        ones(&[2, 3]).matmul(&ones(&[2, 3])), ones(&[2, 3]).try_matmul(&ones(&[2, 3]));
        ones(&[3]).softmax(1), ones(&[3]).try_softmax(1);
        ones(&[1, 3]).cross_entropy(&labels), ones(&[1, 3]).try_cross_entropy(&labels);
        Tensor::from_vec([2], vec![1.0]), Tensor::try_from_vec([2], vec![1.0]);
        Tensor::<f64>::zeros([1 << 62]), Tensor::<f64>::try_zeros([1 << 62]);
        Tensor::<f32>::full([10_000_000, 1_000_000], 1.0), Tensor::<f32>::try_full([10_000_000, 1_000_000], 1.0);
    }
    set_hook(hook);
    for (call, got, expected) in pairs {
        assert_eq!(got, expected, "{call}");
    }
}
