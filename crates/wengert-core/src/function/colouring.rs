//! Colourings: which columns of a sparse derivative may be computed together.
//!
//! Columns of a Jacobian that share no row can be summed without loss: one forward sweep gives them all. A Hessian is
//! symmetric, so more may be summed: an entry lost in one row is found in the other.
//!
//! Source: A. H. Gebremedhin, F. Manne, A. Pothen, "What color is your Jacobian? Graph coloring for computing
//! derivatives", 2005, sections 3 and 4; T. F. Coleman and J. J. More, "Estimation of sparse Hessian matrices and graph
//! coloring problems", 1984.

use super::sparsity::Pattern;

/// A colour for each vertex, and how many there are.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Colouring {
    pub(crate) colours: Vec<usize>,
    pub(crate) count: usize,
}

const NONE: usize = usize::MAX;

/// Work, in edges looked at, above which a coarser colouring is good enough.
const PATIENCE: usize = 50_000_000;

/// Columns that share a row get different colours. Greedy, the longest columns first.
pub(crate) fn columns(pattern: &Pattern) -> Colouring {
    let transposed = pattern.transposed();
    greedy(
        pattern.columns,
        |k| transposed.row(k).len(),
        |column, colours, forbid| {
            for &row in transposed.row(column) {
                pattern.row(row).iter().for_each(|&other| forbid(colours[other]));
            }
        },
    )
}

/// A colouring of the symmetric pattern of a Hessian in which neighbours differ and every path of four vertices has
/// three colours: then each entry stands alone in one of its two rows.
pub(crate) fn star(pattern: &Pattern) -> Colouring {
    let n = pattern.columns;
    let entries = pattern.column_indices.len();
    let longest = pattern.longest_row();
    if entries.saturating_mul(longest) > PATIENCE {
        // Nearly dense: a colour for each, at no cost.
        return Colouring { colours: (0..n).collect(), count: n };
    }
    if entries.saturating_mul(longest).saturating_mul(longest) > PATIENCE {
        // Different colours within distance two: more colours than needed, found with less work.
        return columns(pattern);
    }
    greedy(
        n,
        |k| pattern.row(k).len(),
        |v, colours, forbid| {
            for &w in pattern.row(v).iter().filter(|&&w| w != v) {
                forbid(colours[w]);
                for &x in pattern.row(w).iter().filter(|&&x| x != w && x != v && colours[x] != NONE) {
                    // The path v, w, x and on to a y of w's colour would have two colours if v took that of x.
                    let second = || pattern.row(x).iter().any(|&y| y != w && y != x && colours[y] == colours[w]);
                    if colours[w] == NONE || second() {
                        forbid(colours[x]);
                    }
                }
            }
        },
    )
}

/// Each vertex in turn gets the smallest colour not forbidden, those with most neighbours first.
fn greedy(
    count: usize,
    degree: impl Fn(usize) -> usize,
    forbidden: impl Fn(usize, &[usize], &mut dyn FnMut(usize)),
) -> Colouring {
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by_key(|&k| core::cmp::Reverse(degree(k)));
    let mut colours = vec![NONE; count];
    // For each colour the last vertex it was forbidden to.
    let mut forbidden_to = vec![NONE; count + 1];
    let mut used = 0;
    for v in order {
        forbidden(v, &colours, &mut |colour| {
            if colour != NONE {
                forbidden_to[colour] = v;
            }
        });
        let colour = (0..).find(|&colour| forbidden_to[colour] != v).unwrap_or(used);
        colours[v] = colour;
        used = used.max(colour + 1);
    }
    Colouring { colours, count: used }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn symmetric(n: usize, edges: impl Iterator<Item = (usize, usize)>) -> Pattern {
        let mut rows: Vec<Vec<usize>> = (0..n).map(|k| vec![k]).collect();
        for (a, b) in edges {
            rows[a].push(b);
            rows[b].push(a);
        }
        rows.iter_mut().for_each(|row| {
            row.sort_unstable();
            row.dedup();
        });
        Pattern::of_rows(rows, n)
    }

    /// Neighbours differ, and no path of four vertices has two colours.
    fn is_star(pattern: &Pattern, colours: &[usize]) -> bool {
        let around = |v: usize| pattern.row(v).iter().copied().filter(move |&w| w != v);
        (0..pattern.columns).all(|a| {
            around(a).all(|b| {
                colours[a] != colours[b]
                    && around(b).filter(|&c| c != a).all(|c| {
                        around(c)
                            .filter(|&d| d != b)
                            .all(|d| !(colours[c] == colours[a] && colours[d] == colours[b]) || d == a)
                    })
            })
        })
    }

    #[test]
    fn chains_stars_grids_and_random_graphs_are_star_coloured() {
        let chain = symmetric(100, (1..100).map(|k| (k - 1, k)));
        assert_eq!(star(&chain).count, 3);
        let wheel = symmetric(50, (1..50).map(|k| (0, k)));
        assert_eq!(star(&wheel).count, 2);
        let grid = symmetric(64, (0..64).flat_map(|k| [(k, (k + 1) % 64), (k, (k + 8) % 64)]));
        let mut state = 1_u64;
        let mut random = || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 33) as usize % 40
        };
        let tangle = symmetric(40, (0..70).map(|_| (random(), random())).collect::<Vec<_>>().into_iter());
        for pattern in [chain, wheel, grid, tangle] {
            assert!(is_star(&pattern, &star(&pattern).colours));
        }
    }

    #[test]
    fn columns_that_share_a_row_differ() {
        let banded = Pattern::of_rows((0..50).map(|k| (k..(k + 3).min(50)).collect()).collect(), 50);
        let colouring = columns(&banded);
        assert_eq!(colouring.count, 3);
        for row in 0..50 {
            let mut seen: Vec<usize> = banded.row(row).iter().map(|&k| colouring.colours[k]).collect();
            seen.sort_unstable();
            seen.dedup();
            assert_eq!(seen.len(), banded.row(row).len());
        }
    }
}
