//! Printing: nested brackets, aligned columns, long axes cut short.
//!
//! `{}` shows numbers to four decimals, `{:.2}` to two; very large or small ones turn the whole tensor to scientific
//! notation. Beyond 1000 elements only three entries at each end of an axis are shown; `{:#}` shows all. `{:?}` adds
//! type and shape and shows every digit.

use core::fmt;

use crate::element::Element;
use crate::tensor::Tensor;

/// Tensors of more elements are cut short.
const WHOLE: usize = 1000;
/// Entries shown at each end of an axis that is cut short.
const EDGE: usize = 3;
/// Lines are broken after this many characters.
const WIDTH: usize = 96;
/// Decimals shown unless asked otherwise.
const DECIMALS: usize = 4;

/// Numbers as a person reads them.
///
/// # Examples
/// ```
/// # use wengert_tensor::Tensor;
/// let x = Tensor::from([[1.0, -2.5], [10.0, 0.125]]);
/// assert_eq!(x.to_string(), "[[ 1.000, -2.500],\n [10.000,  0.125]]");
/// assert_eq!(format!("{:.1}", x.index_axis(0, 0)), "[ 1.0, -2.5]");
/// assert_eq!(Tensor::<i64>::arange(2000).to_string(), "[   0,    1,    2,  ..., 1997, 1998, 1999]");
/// ```
impl<T: Element> fmt::Display for Tensor<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let items = items(self, f.alternate());
        let numbers: Vec<f64> = items.iter().filter_map(|item| item.value.and_then(as_float)).collect();
        let style = match f.precision() {
            _ if numbers.is_empty() => Style::Plain,
            Some(decimals) => Style::Fixed(decimals),
            None => Style::of(&numbers),
        };
        write_items(f, self, &items, |x| match (style, as_float(x)) {
            (Style::Fixed(decimals), Some(x)) => format!("{x:.decimals$}"),
            (Style::Scientific, Some(x)) if x.is_finite() => format!("{x:.DECIMALS$e}"),
            _ => x.to_string(),
        })
    }
}

/// Type, shape and elements with all their digits.
///
/// # Examples
/// ```
/// # use wengert_tensor::Tensor;
/// let x = Tensor::from([[0.1_f32, 2.0]]);
/// assert_eq!(format!("{x:?}"), "Tensor<f32> [1, 2] [[0.1, 2.0]]");
/// ```
impl<T: Element> fmt::Debug for Tensor<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let separator =
            if self.rank() > 1 && self.shape()[..self.rank() - 1] != vec![1; self.rank() - 1] { '\n' } else { ' ' };
        write!(f, "Tensor<{}> {}{separator}", T::NAME, self.shape())?;
        write_items(f, self, &items(self, f.alternate()), |x| format!("{x:?}"))
    }
}

/// How floating-point numbers are shown.
#[derive(Clone, Copy)]
enum Style {
    /// As the type prints itself: integers, `bool`.
    Plain,
    Fixed(usize),
    Scientific,
}

impl Style {
    fn of(numbers: &[f64]) -> Style {
        let sizes = || numbers.iter().map(|x| x.abs()).filter(|&x| x > 0.0 && x.is_finite());
        let (largest, smallest) = (sizes().fold(0.0, f64::max), sizes().fold(f64::INFINITY, f64::min));
        if largest >= 1e8 || smallest < 1e-4 && largest > 0.0 {
            return Style::Scientific;
        }
        // As many decimals as the number that needs most, but at least one, so that a float looks like one.
        let decimals = |x: &f64| format!("{x:.DECIMALS$}").trim_end_matches('0').split('.').nth(1).map_or(0, str::len);
        Style::Fixed(numbers.iter().filter(|x| x.is_finite()).map(decimals).max().unwrap_or(0).max(1))
    }
}

/// The value of a floating-point element.
fn as_float<T: Element>(x: T) -> Option<f64> {
    let x: &dyn core::any::Any = &x;
    x.downcast_ref::<f64>().copied().or_else(|| x.downcast_ref::<f32>().map(|&x| f64::from(x)))
}

/// What is shown: an element, or dots that stand for the entries of an axis left out.
struct Item<T> {
    /// `None` for dots.
    value: Option<T>,
    /// How many brackets are open around it.
    depth: usize,
    /// The outermost axis along which this item follows the one before.
    axis: usize,
}

/// The items in order. A loop rather than a recursion over axes: a tensor may have any number of them.
fn items<T: Element>(tensor: &Tensor<T>, whole: bool) -> Vec<Item<T>> {
    if tensor.is_empty() {
        return Vec::new();
    }
    let cut = !whole && tensor.len() > WHOLE;
    // The entries shown along each axis, `None` for dots.
    let shown: Vec<Vec<Option<usize>>> = tensor
        .shape()
        .iter()
        .map(|&dim| match cut && dim > 2 * EDGE {
            true => (0..EDGE).map(Some).chain([None]).chain((dim - EDGE..dim).map(Some)).collect(),
            false => (0..dim).map(Some).collect(),
        })
        .collect();
    let mut items = Vec::new();
    let mut at = vec![0; shown.len()];
    let mut axis = 0;
    loop {
        let index: Option<Vec<usize>> = at.iter().zip(&shown).map(|(&i, entries)| entries[i]).collect();
        let dots = at.iter().zip(&shown).position(|(&i, entries)| entries[i].is_none());
        let depth = dots.map_or(shown.len(), |axis| axis + 1);
        items.push(Item { value: index.and_then(|index| tensor.get(index)), depth, axis });
        // The next index, the innermost open axis first.
        axis = depth;
        loop {
            let Some(outer) = axis.checked_sub(1) else { return items };
            axis = outer;
            at[axis] += 1;
            if at[axis] < shown[axis].len() {
                break;
            }
            at[axis] = 0;
        }
    }
}

fn write_items<T: Element>(
    f: &mut fmt::Formatter<'_>,
    tensor: &Tensor<T>,
    items: &[Item<T>],
    text: impl Fn(T) -> String,
) -> fmt::Result {
    if items.is_empty() {
        return write!(f, "[] of shape {}", tensor.shape());
    }
    let texts: Vec<String> = items.iter().map(|item| item.value.map_or_else(|| "...".to_owned(), &text)).collect();
    let width = texts.iter().map(String::len).max().unwrap_or(0);
    let rank = tensor.rank();
    let mut open = 0;
    let mut column = 0;
    for (k, (item, text)) in items.iter().zip(&texts).enumerate() {
        if k > 0 {
            // Axes inside the one that moves on are finished.
            let closing = open - (item.axis + 1);
            write!(f, "{},", "]".repeat(closing))?;
            // One new line between rows, and one more for each axis further out.
            let lines = rank - 1 - item.axis;
            let full = lines == 0 && column + width + 2 > WIDTH;
            if lines > 0 || full {
                write!(f, "{}{}", "\n".repeat(lines.max(1)), " ".repeat(item.axis + 1))?;
                column = item.axis + 1;
            } else {
                f.write_str(" ")?;
                column += 1;
            }
            open = item.axis + 1;
        }
        write!(f, "{}", "[".repeat(item.depth - open))?;
        column += item.depth - open + width + 1;
        open = item.depth;
        // Dots for whole rows stand at the margin.
        if item.depth == rank { write!(f, "{text:>width$}")? } else { f.write_str(text)? }
    }
    write!(f, "{}", "]".repeat(open))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_blocks_set_apart() {
        assert_eq!(Tensor::scalar(2.5).to_string(), "2.5");
        assert_eq!(Tensor::from([1, -20, 300]).to_string(), "[  1, -20, 300]");
        assert_eq!(Tensor::from([[true, false]]).to_string(), "[[ true, false]]");
        assert_eq!(
            Tensor::from([[[1, 2], [3, 4]], [[5, 6], [7, 8]]]).to_string(),
            "[[[1, 2],\n  [3, 4]],\n\n [[5, 6],\n  [7, 8]]]"
        );
        assert_eq!(Tensor::<f32>::zeros([0, 3]).to_string(), "[] of shape [0, 3]");
    }

    #[test]
    fn decimals_are_as_many_as_needed() {
        assert_eq!(Tensor::from([1.0, 2.0]).to_string(), "[1.0, 2.0]");
        assert_eq!(Tensor::from([1.0 / 3.0, 20.0]).to_string(), "[ 0.3333, 20.0000]");
        assert_eq!(format!("{:.2}", Tensor::from([1.0 / 3.0, 20.0])), "[ 0.33, 20.00]");
        assert_eq!(Tensor::from([1e-7, 1.0]).to_string(), "[1.0000e-7,  1.0000e0]");
        assert_eq!(Tensor::from([0.0, 2.5e9]).to_string(), "[0.0000e0, 2.5000e9]");
        assert_eq!(Tensor::from([f64::NAN, f64::INFINITY, 1.5]).to_string(), "[NaN, inf, 1.5]");
        assert_eq!(Tensor::from([0.0, f64::NEG_INFINITY]).to_string(), "[ 0.0, -inf]");
    }

    #[test]
    fn long_axes_are_cut_short() {
        let x = Tensor::<i64>::arange(2000).reshape([1000, 2]);
        assert_eq!(
            x.to_string(),
            "[[   0,    1],\n [   2,    3],\n [   4,    5],\n ...,\n [1994, 1995],\n [1996, 1997],\n [1998, 1999]]"
        );
        assert_eq!(format!("{x:#}").lines().count(), 1000);
        let wide = Tensor::<i64>::zeros([2, 1000]);
        assert_eq!(wide.to_string(), "[[  0,   0,   0, ...,   0,   0,   0],\n [  0,   0,   0, ...,   0,   0,   0]]");
    }

    #[test]
    fn long_rows_are_broken() {
        let text = Tensor::<i64>::full([100], 12345).to_string();
        assert!(text.lines().all(|line| line.len() <= WIDTH + 1), "{text}");
        assert!(text.lines().count() > 5);
    }

    #[test]
    fn debug_shows_type_shape_and_every_digit() {
        assert_eq!(
            format!("{:?}", Tensor::from([[1.0 / 3.0], [1e-9]])),
            "Tensor<f64> [2, 1]\n[[0.3333333333333333],\n [              1e-9]]"
        );
        assert_eq!(format!("{:?}", Tensor::scalar(7_u8)), "Tensor<u8> [] 7");
    }

    #[test]
    fn a_great_many_axes_do_not_exhaust_the_stack() {
        let x = Tensor::scalar(1).reshape(vec![1; 100_000]);
        assert_eq!(x.to_string().len(), 200_001);
    }
}
