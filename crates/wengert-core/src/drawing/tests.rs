//! Pictures: what is in them, and that nothing lies on anything else.

use super::layers::{Given, layout};
use super::{Drawing, Line, Look};

/// Name, attributes, and the text up to the next tag.
type Element = (String, Vec<(String, String)>, String);

/// The elements of an XML document, after checks that every tag is closed.
fn elements(text: &str) -> Vec<Element> {
    let (mut open, mut elements) = (Vec::new(), Vec::new());
    let mut rest = text;
    while let Some((before, tag)) = rest.split_once('<') {
        assert!(open.is_empty() <= before.trim().is_empty(), "{before:?} stands outside of the root");
        let (tag, after) = tag.split_once('>').expect("a tag ends");
        let content = after.split('<').next().unwrap_or("");
        for entity in content.split('&').skip(1) {
            assert!(["lt;", "gt;", "amp;"].iter().any(|known| entity.starts_with(known)), "&{entity}");
        }
        assert!(!content.contains('>') && !tag.contains('&'), "{content}");
        rest = after;
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name));
            continue;
        }
        let (tag, closed) = tag.strip_suffix('/').map_or((tag, false), |tag| (tag, true));
        let (name, mut list) = tag.split_once(' ').unwrap_or((tag, ""));
        let mut attributes = Vec::new();
        while !list.trim().is_empty() {
            let (key, value) = list.trim_start().split_once("=\"").expect("an attribute has a value");
            let (value, others) = value.split_once('"').expect("a value ends");
            attributes.push((key.to_owned(), value.to_owned()));
            list = others;
        }
        if !closed {
            open.push(name.to_owned());
        }
        elements.push((name.to_owned(), attributes, content.to_owned()));
    }
    assert!(open.is_empty() && rest.trim().is_empty(), "{open:?} is not closed");
    elements
}

fn titles(svg: &str) -> Vec<String> {
    elements(svg).into_iter().filter(|(name, ..)| name == "title").map(|(.., text)| text).collect()
}

/// Left, right, top and bottom of the nodes.
fn boxes(svg: &str) -> Vec<[f64; 4]> {
    let number = |attributes: &[(String, String)], key: &str| -> f64 {
        attributes.iter().find(|(name, _)| name == key).expect(key).1.parse().expect(key)
    };
    let shape = |(name, attributes, _): Element| {
        if attributes.iter().any(|(key, _)| key == "class") || attributes.iter().any(|(_, value)| value == "100%") {
            return None; // the inner of two lines; the paper
        }
        let of = |key| number(&attributes, key);
        match &name[..] {
            "rect" => Some([of("x"), of("x") + of("width"), of("y"), of("y") + of("height")]),
            "ellipse" => Some([of("cx") - of("rx"), of("cx") + of("rx"), of("cy") - of("ry"), of("cy") + of("ry")]),
            _ => None,
        }
    };
    elements(svg).into_iter().filter_map(shape).collect()
}

fn overlap(a: &[f64; 4], b: &[f64; 4]) -> bool {
    a[0] < b[1] && b[0] < a[1] && a[2] < b[3] && b[2] < a[3]
}

/// A drawing of `nodes` nodes with some edges each, from a fixed stream of numbers.
fn scattered(nodes: usize, seed: u64) -> Drawing {
    let mut state = seed;
    let mut below = |n: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % n
    };
    let mut drawing = Drawing::new("scattered");
    for k in 0..nodes {
        let line = [Line::Plain, Line::Bold, Line::Dashed, Line::Double][below(4)];
        let label = ["v", "t1\nmatmul\n[64, 128]", "pullback of conv2d\nt2 [1, 2, 3, 4]"][below(3)];
        drawing.node(format!("n{k}"), Look { round: below(2) == 0, line, shade: below(3) as f64 / 2.0 }, label);
        for _ in 0..below(4).min(k) {
            // Mostly near, as in programs; now and then from far.
            let from = if below(4) == 0 { below(k) } else { k - 1 - below(k.min(5)) };
            drawing.edge(&format!("n{from}"), &format!("n{k}"), ["", "0.5", "-1.234e-5"][below(3)]);
        }
    }
    drawing
}

#[test]
fn pictures_are_well_formed_and_show_every_node_and_edge_once() {
    for (nodes, seed) in [(0, 1), (1, 1), (2, 2), (17, 3), (60, 4), (200, 5)] {
        let drawing = scattered(nodes, seed);
        let svg = drawing.to_svg();
        let mut found = titles(&svg);
        let mut expected = vec!["scattered".to_owned()];
        expected.extend(drawing.nodes.iter().map(|node| node.name.clone()));
        let name = |k: usize| &drawing.nodes[k].name;
        expected.extend(drawing.edges.iter().map(|edge| format!("{} -&gt; {}", name(edge.from), name(edge.to))));
        found.sort();
        expected.sort();
        assert_eq!(found, expected);
        assert_eq!(svg.matches("marker-end").count(), drawing.edges.len());
        assert_eq!(boxes(&svg).len(), nodes);
    }
}

#[test]
fn nodes_do_not_overlap_and_lie_on_the_paper() {
    for seed in 0..20 {
        let svg = scattered(10 + 9 * seed as usize, seed).to_svg();
        let boxes = boxes(&svg);
        let root = &elements(&svg)[0].1;
        let size = |key: &str| -> f64 { root.iter().find(|(name, _)| name == key).unwrap().1.parse().unwrap() };
        for (k, a) in boxes.iter().enumerate() {
            assert!(a[0] >= 0.0 && a[1] <= size("width") && a[2] >= 0.0 && a[3] <= size("height"), "{a:?}");
            assert!(boxes[..k].iter().all(|b| !overlap(a, b)), "seed {seed}, node {k}: {a:?}");
        }
    }
}

#[test]
fn edges_lead_down_and_pass_beside_nodes() {
    for seed in 0..20 {
        let drawing = scattered(60, seed);
        let sizes: Vec<(f64, f64)> =
            (0..60).map(|k| (30.0 + (k % 7) as f64 * 20.0, 20.0 + (k % 3) as f64 * 15.0)).collect();
        let edges: Vec<_> = drawing.edges.iter().map(|edge| (edge.from, edge.to, 0.0)).collect();
        let placed = layout(&Given { nodes: &sizes, edges: &edges });
        for (points, (from, to, _)) in placed.edges.iter().zip(&edges) {
            let ((x0, y0), (x1, y1)) = (placed.nodes[*from], placed.nodes[*to]);
            assert!(y0 < y1 && points.windows(2).all(|pair| pair[0].1 <= pair[1].1));
            let ends = (points[0], points[points.len() - 1]);
            assert!((ends.0.0 - x0).abs() <= sizes[*from].0 / 2.0 && (ends.1.0 - x1).abs() <= sizes[*to].0 / 2.0);
            // Where an edge passes a layer it is vertical, from an odd point to the next.
            for pass in points[1..points.len() - 1].chunks(2) {
                let lane = [pass[0].0 - 1.0, pass[0].0 + 1.0, pass[0].1, pass[1].1];
                for (&(x, y), &(width, height)) in placed.nodes.iter().zip(&sizes) {
                    let node = [x - width / 2.0, x + width / 2.0, y - height / 2.0, y + height / 2.0];
                    assert!(!overlap(&lane, &node), "seed {seed}, {from} -> {to}: {lane:?} meets {node:?}");
                }
            }
        }
    }
}

#[test]
fn crossings_that_need_not_be_are_not() {
    // Two ladders whose rungs are given crosswise.
    let nodes = [(40.0, 20.0); 6];
    let edges = [(0, 3, 0.0), (1, 2, 0.0), (2, 5, 0.0), (3, 4, 0.0)];
    let placed = layout(&Given { nodes: &nodes, edges: &edges });
    let x = |k: usize| placed.nodes[k].0;
    assert_eq!(x(0) < x(1), x(3) < x(2));
    assert_eq!(x(3) < x(2), x(4) < x(5));
    // Each is a straight line then.
    assert!((x(0) - x(3)).abs() < 0.5 && (x(3) - x(4)).abs() < 0.5);
}

#[test]
fn what_only_data_make_stands_by_its_first_reader() {
    // A recurrence: h = f(h, g(data)), with the data of step k at node 3 k.
    let nodes = [(40.0, 20.0); 31];
    let mut edges = Vec::new();
    for k in 0..10 {
        edges.extend([(3 * k + 1, 3 * k + 2, 0.0), (3 * k + 2, 3 * k + 3, 0.0), (3 * k, 3 * k + 3, 0.0)]);
    }
    let placed = layout(&Given { nodes: &nodes, edges: &edges });
    for k in 0..10 {
        let (data, reads) = (placed.nodes[3 * k + 2].1, placed.nodes[3 * k + 3].1);
        assert!(reads - data < 100.0, "step {k}: {data} {reads}");
    }
}

#[test]
fn labels_are_escaped() {
    let mut drawing = Drawing::new("names");
    drawing.node("a", Look::angular(Line::Plain), "say \"<b>\" & {\\\u{1b}[0m}\n\u{e9}");
    drawing.node("b", Look::round(Line::Double), "");
    drawing.edge("a", "b", "x<y & z>\"0\"");
    let svg = drawing.to_svg();
    let texts: Vec<String> =
        elements(&svg).into_iter().filter(|(name, ..)| name == "text").map(|(.., text)| text).collect();
    let expected = ["say \"&lt;b&gt;\" &amp; {\\[0m}", "\u{e9}", "x&lt;y &amp; z&gt;\"0\""];
    assert_eq!(texts, expected);
}

#[test]
fn a_long_list_is_drawn_without_its_middle() {
    let mut drawing = Drawing::new("chain");
    for k in 0..1195 {
        drawing.node(format!("n{k}"), Look::default(), format!("n{k}"));
        if k > 0 {
            drawing.edge(&format!("n{}", k - 1), &format!("n{k}"), "");
            drawing.edge("n0", &format!("n{k}"), "");
        }
    }
    let svg = drawing.to_svg();
    let found = titles(&svg);
    assert_eq!(boxes(&svg).len(), 201);
    assert!(svg.contains(">995 nodes left out</text>"));
    for title in ["n99", "n1095", "...", "n99 -&gt; ...", "... -&gt; n1095", "n0 -&gt; ...", "n0 -&gt; n1194"] {
        assert_eq!(found.iter().filter(|found| *found == title).count(), 1, "{title}");
    }
    assert!(!found.iter().any(|title| title == "n100" || title == "n1094"));
    // A list of as many nodes as are drawn is drawn whole.
    assert!(!scattered(200, 7).to_svg().contains("left out"));
}
