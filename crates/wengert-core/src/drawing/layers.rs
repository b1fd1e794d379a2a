//! Where nodes and edges of a drawing lie: in layers from top to bottom.
//!
//! The method of Sugiyama, Tagawa & Toda 1981, "Methods for Visual Understanding of Hierarchical System Structures":
//! every node goes one layer below the lowest of its operands; edges that pass layers get a place in each; the order
//! within layers is that of the mean places of neighbours, a few sweeps down and up, of which the one with the fewest
//! crossings is kept. Places within a layer then minimise the distances to neighbours as a least-squares problem under
//! the order and the distances that must be, layer by layer.

/// Distances between neighbours in a layer, and between layers, in pixels.
const APART: f64 = 18.0;
const BELOW: f64 = 34.0;
/// What an edge that passes a layer takes of its width.
const LANE: f64 = 10.0;
/// Sweeps that order, and that place.
const ORDERING: usize = 16;
const PLACING: usize = 12;

pub(super) type Point = (f64, f64);

/// What is to be laid out: width and height of nodes; ends of edges, and the widths of their labels, 0 for none.
pub(super) struct Given<'a> {
    pub(super) nodes: &'a [(f64, f64)],
    pub(super) edges: &'a [(usize, usize, f64)],
}

/// Centres of the nodes; for each edge the points where it is vertical, from top to bottom, and where its label is
/// centred.
pub(super) struct Layout {
    pub(super) nodes: Vec<Point>,
    pub(super) edges: Vec<Vec<Point>>,
    pub(super) labels: Vec<Point>,
    pub(super) width: f64,
    pub(super) height: f64,
}

/// A node, or the place of an edge in a layer it passes.
struct Item {
    layer: usize,
    width: f64,
    x: f64,
    up: Vec<usize>,
    down: Vec<usize>,
}

struct Graph {
    items: Vec<Item>,
    /// The items that are nodes come first.
    nodes: usize,
    layers: Vec<Vec<usize>>,
    /// The items an edge passes, its ends included.
    chains: Vec<Vec<usize>>,
}

pub(super) fn layout(given: &Given<'_>) -> Layout {
    let mut graph = Graph::new(given);
    graph.order();
    graph.place();
    graph.routed(given)
}

impl Graph {
    fn new(given: &Given<'_>) -> Graph {
        let layer = layers_of(given);
        let item = |layer, width| Item { layer, width, x: 0.0, up: Vec::new(), down: Vec::new() };
        // A node is as wide as the labels of its operands side by side, for which there is no other room.
        let mut widths: Vec<f64> = vec![0.0; layer.len()];
        given.edges.iter().for_each(|&(_, to, label)| widths[to] += label + 4.0);
        let width = |k: usize| widths[k].max(given.nodes[k].0);
        let mut items: Vec<Item> = layer.iter().enumerate().map(|(k, &layer)| item(layer, width(k))).collect();
        // Edges of one node that pass a layer share a place there: they are told apart where they end.
        let mut lanes: Vec<Vec<usize>> = vec![Vec::new(); items.len()];
        let mut chains = Vec::with_capacity(given.edges.len());
        for &(from, to, _) in given.edges {
            for k in layer[from] + 1 + lanes[from].len()..layer[to] {
                lanes[from].push(items.len());
                items.push(item(k, LANE));
            }
            let passed = &lanes[from][..layer[to] - layer[from] - 1];
            let chain: Vec<usize> = [from].into_iter().chain(passed.iter().copied()).chain([to]).collect();
            for pair in chain.windows(2) {
                if !items[pair[0]].down.contains(&pair[1]) {
                    items[pair[0]].down.push(pair[1]);
                    items[pair[1]].up.push(pair[0]);
                }
            }
            chains.push(chain);
        }
        let mut layers = vec![Vec::new(); layer.iter().max().map_or(0, |last| last + 1)];
        items.iter().enumerate().for_each(|(k, item)| layers[item.layer].push(k));
        Graph { items, nodes: given.nodes.len(), layers, chains }
    }

    /// Orders every layer.
    fn order(&mut self) {
        let mut place = vec![0; self.items.len()];
        let mut best = (usize::MAX, self.layers.clone());
        for sweep in 0..ORDERING {
            self.layers.iter().for_each(|layer| layer.iter().enumerate().for_each(|(k, &item)| place[item] = k));
            let crossings = self.crossings(&place);
            if crossings < best.0 {
                best = (crossings, self.layers.clone());
            }
            let down = sweep % 2 == 0;
            for step in 1..self.layers.len() {
                let k = if down { step } else { self.layers.len() - 1 - step };
                let mean = |&item: &usize| {
                    let neighbours = if down { &self.items[item].up } else { &self.items[item].down };
                    let sum: usize = neighbours.iter().map(|&other| place[other]).sum();
                    if neighbours.is_empty() { place[item] as f64 } else { sum as f64 / neighbours.len() as f64 }
                };
                let mut layer: Vec<(f64, usize)> = self.layers[k].iter().map(|item| (mean(item), *item)).collect();
                layer.sort_by(|a, b| a.0.total_cmp(&b.0));
                self.layers[k] = layer.into_iter().map(|(_, item)| item).collect();
                self.layers[k].iter().enumerate().for_each(|(k, &item)| place[item] = k);
            }
        }
        self.layers = best.1;
    }

    /// How often edges cross, each pair of layers by itself.
    fn crossings(&self, place: &[usize]) -> usize {
        let mut crossings = 0;
        for layer in &self.layers {
            // Ends met so far, sorted: an edge crosses those that end to the right of it.
            let mut ends: Vec<usize> = Vec::new();
            for &item in layer {
                let mut down: Vec<usize> = self.items[item].down.iter().map(|&other| place[other]).collect();
                down.sort_unstable();
                crossings +=
                    down.iter().map(|&end| ends.len() - ends.partition_point(|&other| other <= end)).sum::<usize>();
                for end in down {
                    ends.insert(ends.partition_point(|&other| other <= end), end);
                }
            }
        }
        crossings
    }

    /// Places the items of every layer, keeping its order.
    fn place(&mut self) {
        for layer in &self.layers {
            let mut x = 0.0;
            for &item in layer {
                self.items[item].x = x + self.items[item].width / 2.0;
                x += self.items[item].width + APART;
            }
        }
        for sweep in 0..PLACING {
            for step in 0..self.layers.len() {
                let k = if sweep % 2 == 0 { step } else { self.layers.len() - 1 - step };
                let wanted: Vec<(f64, f64)> = self.layers[k].iter().map(|&item| self.wanted(item)).collect();
                let distance = |pair: &[usize]| (self.items[pair[0]].width + self.items[pair[1]].width) / 2.0 + APART;
                let distances: Vec<f64> = self.layers[k].windows(2).map(distance).collect();
                for (&item, x) in self.layers[k].iter().zip(apart(&wanted, &distances)) {
                    self.items[item].x = x;
                }
            }
        }
        let left = self.items.iter().map(|item| item.x - item.width / 2.0).fold(f64::INFINITY, f64::min);
        self.items.iter_mut().for_each(|item| item.x += APART - left);
    }

    /// Where an item should be, and how much that matters: long edges should be straight.
    fn wanted(&self, item: usize) -> (f64, f64) {
        let (mut sum, mut weights) = (0.0, 0.0);
        for &other in self.items[item].up.iter().chain(&self.items[item].down) {
            let weight = if item >= self.nodes && other >= self.nodes { 8.0 } else { 1.0 };
            sum += weight * self.items[other].x;
            weights += weight;
        }
        if weights == 0.0 { (self.items[item].x, 0.1) } else { (sum / weights, weights) }
    }

    /// The layout: heights of layers, and points of the edges.
    fn routed(&self, given: &Given<'_>) -> Layout {
        let ports = self.ports(given);
        let mut heights = vec![0.0_f64; self.layers.len()];
        let mut gaps = vec![BELOW; self.layers.len()];
        for (k, &(_, height)) in given.nodes.iter().enumerate() {
            heights[self.items[k].layer] = heights[self.items[k].layer].max(height);
        }
        for (chain, (ports, &(_, _, label))) in self.chains.iter().zip(ports.iter().zip(given.edges)) {
            for (pair, x) in chain.windows(2).zip(ports.windows(2)) {
                // Far to the side an edge would be flat, and labels need room.
                let gap = &mut gaps[self.items[pair[0]].layer];
                let room = if label > 0.0 && pair[1] < self.nodes { 24.0 } else { 0.0 };
                *gap = gap.max(BELOW + room + ((x[1] - x[0]).abs() * 0.06).min(50.0));
            }
        }
        let mut tops = Vec::with_capacity(heights.len());
        let mut y = APART;
        for (height, gap) in heights.iter().zip(&gaps) {
            tops.push(y);
            y += height + gap;
        }
        let middle = |item: usize| tops[self.items[item].layer] + heights[self.items[item].layer] / 2.0;
        let band = |item: usize| {
            let layer = self.items[item].layer;
            (tops[layer], tops[layer] + heights[layer])
        };
        let edges: Vec<Vec<Point>> = (self.chains.iter().zip(&ports))
            .map(|(chain, ports)| {
                let ends = chain.iter().zip(ports).flat_map(|(&item, &x)| [(x, band(item).0), (x, band(item).1)]);
                let points: Vec<Point> = ends.collect();
                points[1..points.len() - 1].to_vec()
            })
            .collect();
        let right = self.items.iter().map(|item| item.x + item.width / 2.0).fold(0.0, f64::max);
        Layout {
            nodes: (0..self.nodes).map(|k| (self.items[k].x, middle(k))).collect(),
            labels: labels(given, &edges),
            edges,
            width: right + APART,
            height: y - gaps.last().copied().unwrap_or(0.0) + APART,
        }
    }

    /// Where every edge meets each of its items: side by side in the order of where they come from or go to.
    fn ports(&self, given: &Given<'_>) -> Vec<Vec<f64>> {
        let mut ports: Vec<Vec<f64>> =
            self.chains.iter().map(|chain| chain.iter().map(|&item| self.items[item].x).collect()).collect();
        let mut starts: Vec<Vec<usize>> = vec![Vec::new(); self.nodes];
        let mut ends: Vec<Vec<usize>> = vec![Vec::new(); self.nodes];
        for (k, &(from, to, _)) in given.edges.iter().enumerate() {
            starts[from].push(k);
            ends[to].push(k);
        }
        for node in 0..self.nodes {
            for (edges, out) in [(&mut starts[node], true), (&mut ends[node], false)] {
                let next = |edge: usize| {
                    let chain = &self.chains[edge];
                    if out { chain[1] } else { chain[chain.len() - 2] }
                };
                edges.sort_by(|&a, &b| self.items[next(a)].x.total_cmp(&self.items[next(b)].x).then(a.cmp(&b)));
                // Edges that share a lane leave as one.
                let same = |&a: &usize, &b: &usize| out && next(a) == next(b) && next(a) >= self.nodes;
                let groups: Vec<&[usize]> = edges.chunk_by(same).collect();
                let step = (0.8 * given.nodes[node].0 / groups.len() as f64).min(14.0);
                for (k, group) in groups.iter().enumerate() {
                    let x = self.items[node].x + (k as f64 - (groups.len() - 1) as f64 / 2.0) * step;
                    for &edge in *group {
                        let at = if out { 0 } else { ports[edge].len() - 1 };
                        ports[edge][at] = x;
                    }
                }
            }
        }
        ports
    }
}

/// The longest path from a node without operands. Those, and what is made of them alone, then sink to right above the
/// first that reads them: products of a step's data in a long recurrence would all stand at the top.
fn layers_of(given: &Given<'_>) -> Vec<usize> {
    let mut readers: Vec<Vec<usize>> = vec![Vec::new(); given.nodes.len()];
    given.edges.iter().for_each(|&(from, to, _)| readers[from].push(to));
    let mut layer = vec![0; given.nodes.len()];
    // How many operations stand above a node, 2 for more than one.
    let mut above = vec![0; given.nodes.len()];
    for from in 0..layer.len() {
        for &to in &readers[from] {
            layer[to] = layer[to].max(layer[from] + 1);
            above[to] = above[to].max((above[from] + 1).min(2));
        }
    }
    for node in (0..layer.len()).rev().filter(|&node| above[node] < 2) {
        if let Some(nearest) = readers[node].iter().map(|&reader| layer[reader]).min() {
            layer[node] = nearest - 1;
        }
    }
    layer
}

/// Places nearest to those wanted, `(x, weight)`, at least the given distances apart: the least-squares solution, by
/// pooling neighbours that want to be too close (Ayer et al. 1955; with the distances taken off, it is an isotonic
/// regression).
fn apart(wanted: &[(f64, f64)], distances: &[f64]) -> Vec<f64> {
    let mut offset = 0.0;
    let offsets: Vec<f64> = [0.0]
        .iter()
        .chain(distances)
        .map(|d| {
            offset += d;
            offset
        })
        .collect();
    let mut pools: Vec<(f64, f64, usize)> = Vec::new();
    for (&(x, weight), offset) in wanted.iter().zip(&offsets) {
        let mut pool = (x - offset, weight, 1);
        while let Some(&(before, its_weight, count)) = pools.last()
            && before > pool.0
        {
            let weight = pool.1 + its_weight;
            pool = ((pool.0 * pool.1 + before * its_weight) / weight, weight, pool.2 + count);
            pools.pop();
        }
        pools.push(pool);
    }
    let places = pools.into_iter().flat_map(|(x, _, count)| core::iter::repeat_n(x, count));
    places.zip(offsets).map(|(x, offset)| x + offset).collect()
}

/// The height of a label.
pub(super) const LABEL: f64 = 11.0;

/// A place for the label of each edge on the last part of it, where it covers no other label and as few edges as can
/// be.
fn labels(given: &Given<'_>, edges: &[Vec<Point>]) -> Vec<Point> {
    let mut taken: Vec<(Point, f64)> = Vec::new();
    let places = edges.iter().zip(given.edges).enumerate().map(|(k, (points, &(_, _, width)))| {
        let [.., from, to] = points[..] else { return (0.0, 0.0) };
        if width == 0.0 {
            return from;
        }
        let covered = |(x, y): Point| {
            let near = |other_x: f64, room: f64| (x - other_x).abs() < room;
            let is_label = |&&((other_x, other_y), other): &&(Point, f64)| {
                near(other_x, (width + other) / 2.0 + 6.0) && (y - other_y).abs() < LABEL
            };
            let others = edges.iter().enumerate().filter(|(other, _)| *other != k);
            let curves = others.flat_map(|(_, points)| points.chunks_exact(2));
            let lines =
                curves.filter(|ends| at_height(ends, y).is_some_and(|other_x| near(other_x, width / 2.0 + 2.0)));
            100 * taken.iter().filter(is_label).count() + lines.count()
        };
        let places = [0.5, 0.4, 0.6, 0.3, 0.7, 0.2, 0.8].map(|t| on_curve(from, to, t));
        let place = places.into_iter().min_by_key(|&place| covered(place)).unwrap_or(from);
        taken.push((place, width));
        place
    });
    places.collect()
}

/// A point of the cubic curve that is vertical at both ends.
fn on_curve((x0, y0): Point, (x1, y1): Point, t: f64) -> Point {
    let (across, along) = (t * t * (3.0 - 2.0 * t), 1.5 * t * (1.0 - t) + t * t * t);
    (x0 + (x1 - x0) * across, y0 + (y1 - y0) * along)
}

/// Where such a curve is at height `y`, if it gets there.
fn at_height(ends: &[Point], y: f64) -> Option<f64> {
    let &[from, to] = ends else { return None };
    let (mut low, mut high) = (0.0, 1.0);
    (from.1..to.1).contains(&y).then(|| {
        for _ in 0..10 {
            let t = (low + high) / 2.0;
            if on_curve(from, to, t).1 < y { low = t } else { high = t }
        }
        on_curve(from, to, low).0
    })
}
