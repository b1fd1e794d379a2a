//! Saving and loading: what comes back, what is refused, and what a killed process leaves.

use proptest::prelude::*;
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use wengert_nn::{Error, Linear, Module, Relu, Sequential, StateDict};
use wengert_tensor::{Tensor, rng};

/// An empty folder of this test's own.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn model(seed: u64) -> Sequential {
    let mut rng = rng(seed);
    Sequential::new().with(Linear::new(3, 5, &mut rng)).with(Relu).with(Linear::new(5, 2, &mut rng))
}

fn temporary_files(folder: &Path) -> usize {
    fs::read_dir(folder)
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().ends_with(".tmp"))
        .count()
}

#[test]
fn a_model_comes_back_bit_by_bit() {
    let path = folder("round_trip").join("model.safetensors");
    let (a, mut b) = (model(1), model(2));
    a.save(&path).unwrap();
    b.load(&path).unwrap();
    assert_eq!(a.state_dict(), b.state_dict());
    assert_eq!(StateDict::read(&path).unwrap(), a.state_dict());
    let first = fs::read(&path).unwrap();
    b.save(&path).unwrap();
    assert_eq!(first, fs::read(&path).unwrap(), "equal models make equal files");
    assert_eq!(temporary_files(path.parent().unwrap()), 0);
}

#[test]
fn every_bit_pattern_survives() {
    let path = folder("bits").join("x");
    let mut state = StateDict::<f32>::new();
    let values = [0.0, -0.0, 1e-45, f32::MIN_POSITIVE, f32::MAX, f32::INFINITY, f32::NEG_INFINITY, f32::NAN];
    state.insert("odd", values);
    state.insert("number", 7.0);
    state.insert("nothing", Tensor::zeros([0, 3]));
    state.insert("strided", Tensor::from([[1.0, 2.0], [3.0, 4.0]]).t());
    state.write(&path).unwrap();
    let read = StateDict::<f32>::read(&path).unwrap();
    assert!(read.names().eq(["odd", "number", "nothing", "strided"]));
    assert!(read.get("odd").unwrap().iter().map(f32::to_bits).eq(values.map(f32::to_bits)));
    assert_eq!(*read.get("number").unwrap().shape(), []);
    assert_eq!(*read.get("nothing").unwrap().shape(), [0, 3]);
    assert_eq!(read.get("strided").unwrap(), &Tensor::from([[1.0, 3.0], [2.0, 4.0]]));
}

#[test]
fn the_reference_reader_reads_what_we_write() {
    let path = folder("theirs_reads").join("x");
    let mut state = StateDict::<f64>::new();
    state.insert("features.0.weight", [[1.5, -2.0, 3.0], [4.0, 5.0, 6.0]]);
    state.insert("odd \"name\"\n\u{1}é😀", [0.25]);
    state.write(&path).unwrap();
    let bytes = fs::read(&path).unwrap();
    let read = SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(read.len(), 2);
    let weight = read.tensor("features.0.weight").unwrap();
    assert_eq!((weight.dtype(), weight.shape()), (Dtype::F64, &[2, 3][..]));
    let values: Vec<f64> = weight.data().as_chunks().0.iter().map(|b| f64::from_le_bytes(*b)).collect();
    assert_eq!(values, [1.5, -2.0, 3.0, 4.0, 5.0, 6.0]);
    assert_eq!(read.tensor("odd \"name\"\n\u{1}é😀").unwrap().shape(), [1]);
}

#[test]
fn we_read_what_the_reference_writer_writes_in_every_type() {
    let path = folder("ours_reads").join("x");
    let bytes: Vec<(Dtype, Vec<u8>)> = vec![
        (Dtype::F64, [1.5_f64, -2.0].iter().flat_map(|x| x.to_le_bytes()).collect()),
        (Dtype::F32, [1.5_f32, -2.0].iter().flat_map(|x| x.to_le_bytes()).collect()),
        (Dtype::F16, [0x3e00_u16, 0xc000].iter().flat_map(|x| x.to_le_bytes()).collect()),
        (Dtype::BF16, [0x3fc0_u16, 0xc000].iter().flat_map(|x| x.to_le_bytes()).collect()),
        (Dtype::I64, [1_i64, -2].iter().flat_map(|x| x.to_le_bytes()).collect()),
        (Dtype::I32, [1_i32, -2].iter().flat_map(|x| x.to_le_bytes()).collect()),
        (Dtype::I16, [1_i16, -2].iter().flat_map(|x| x.to_le_bytes()).collect()),
        (Dtype::I8, vec![1, 254]),
        (Dtype::U64, [1_u64, 2].iter().flat_map(|x| x.to_le_bytes()).collect()),
        (Dtype::U32, [1_u32, 2].iter().flat_map(|x| x.to_le_bytes()).collect()),
        (Dtype::U16, [1_u16, 2].iter().flat_map(|x| x.to_le_bytes()).collect()),
        (Dtype::U8, vec![1, 2]),
        (Dtype::BOOL, vec![1, 0]),
    ];
    let views =
        bytes.iter().map(|(dtype, bytes)| (format!("{dtype:?}"), TensorView::new(*dtype, vec![2], bytes).unwrap()));
    let metadata = Some([("made by".to_owned(), "the \"reference\"".to_owned())].into());
    fs::write(&path, safetensors::serialize(views, metadata).unwrap()).unwrap();
    let read = StateDict::<f32>::read(&path).unwrap();
    assert_eq!(read.len(), bytes.len());
    for (name, value) in read.iter() {
        let expected = match name {
            "BOOL" => [1.0, 0.0],
            name if name.contains('F') => [1.5, -2.0],
            name if name.starts_with('U') => [1.0, 2.0],
            _ => [1.0, -2.0],
        };
        assert_eq!(value.to_vec(), expected, "{name}");
    }
}

#[test]
fn a_state_of_another_model_is_refused_with_every_difference() {
    let path = folder("mismatch").join("model.safetensors");
    let mut state = model(1).state_dict();
    state.insert("2.weight", Tensor::zeros([2, 6]));
    state.insert("head.weight", [1.0]);
    state.write(&path).unwrap();
    let mut larger = model(2);
    larger.push(Linear::new(2, 2, &mut rng(0)));
    let before = larger.state_dict();
    let expected = "the state does not fit the model: missing \"3.weight\", \"3.bias\"; unexpected \"head.weight\"; \"2.weight\" has shape [2, 6], expected [2, 5]";
    assert_eq!(larger.load_state_dict(&state).unwrap_err().to_string(), expected);
    assert_eq!(larger.load(&path).unwrap_err().to_string(), format!("{}: {expected}", path.display()));
    assert_eq!(larger.state_dict(), before, "nothing was touched");
}

#[test]
fn long_lists_of_differences_are_cut() {
    let mut state = StateDict::<f32>::new();
    for k in 0..12 {
        state.insert(format!("x{k}"), 0.0);
    }
    let text = Sequential::new().load_state_dict(&state).unwrap_err().to_string();
    assert!(text.ends_with("unexpected \"x0\", \"x1\", \"x2\", \"x3\", \"x4\" and 7 more"), "{text}");
}

#[test]
fn files_that_cannot_be_read_or_written_are_typed_errors_with_the_path() {
    let folder = folder("unreadable");
    let missing = folder.join("missing");
    let error = model(0).load(&missing).unwrap_err();
    assert!(matches!(error, Error::Read { .. }));
    assert!(error.to_string().starts_with(&format!("{}: cannot be read: ", missing.display())), "{error}");
    assert!(matches!(model(0).load(&folder).unwrap_err(), Error::Read { .. }));
    let error = model(0).save(folder.join("no such folder/model")).unwrap_err();
    assert!(matches!(error, Error::Write { .. }));
    assert!(error.to_string().contains("model: cannot be written: "), "{error}");
    // A folder in the way stays, and nothing is left beside it.
    fs::create_dir(folder.join("taken")).unwrap();
    fs::write(folder.join("taken/inside"), "").unwrap();
    assert!(matches!(model(0).save(folder.join("taken")).unwrap_err(), Error::Write { .. }));
    assert!(matches!(model(0).save("").unwrap_err(), Error::Write { .. }));
    assert_eq!(temporary_files(&folder), 0);
}

#[cfg(target_os = "linux")]
#[test]
fn files_without_end_are_not_read() {
    let error = model(0).load("/dev/zero").unwrap_err().to_string();
    assert_eq!(error, "/dev/zero: cannot be read: not a regular file");
}

/// A file with this header and `len` bytes of elements.
fn with_header(header: &str, len: usize) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(header.as_bytes());
    bytes.resize(bytes.len() + len, 0);
    bytes
}

#[test]
fn hostile_files_are_typed_errors() {
    let path = folder("hostile").join("x");
    let of = |entry: &str, len| with_header(&format!("{{\"a\":{entry}}}"), len);
    let deep = format!("{{\"__metadata__\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (vec![], "0 bytes are too few for the length of a header"),
        (vec![1; 7], "7 bytes are too few"),
        (u64::MAX.to_le_bytes().to_vec(), "it announces a header of 18446744073709551615 bytes, with 0 bytes left"),
        (with_header("{}", 0)[..9].to_vec(), "it announces a header of 2 bytes, with 1 bytes left"),
        (with_header("", 0), "the header has its end at byte 0, expected '{'"),
        (with_header("{} x", 0), "the header has 'x' at byte 3, expected its end"),
        (with_header("[1]", 0), "expected '{'"),
        (with_header(&deep, 0), "expected less nesting"),
        (b"\x02\0\0\0\0\0\0\0\xff\xfe".to_vec(), "the header is not UTF-8"),
        (of("{\"dtype\":\"F32\",\"shape\":[1]}", 4), "tensor \"a\" lacks dtype, shape or data_offsets"),
        (of(&format!("{{\"dtype\":\"U8\",\"shape\":[{}1]}}", "1,".repeat(64)), 1), "at most 64 numbers in a list"),
        (of("{\"dtype\":\"U8\",\"data_offsets\":[0,1,1]}", 1), "at most 2 numbers in a list"),
        (
            of("{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}", 4),
            "data_offsets that are not a first and a last byte",
        ),
        (of("{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]}", 4), "tensor \"a\" has bytes 4 to 0 of 4"),
        (
            of("{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}", 4),
            "tensor \"a\" has bytes 0 to 8 of 4; is the file cut off?",
        ),
        (
            of("{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}", 4),
            "tensor \"a\" of type F32 and shape [2] has 4 bytes",
        ),
        (
            of("{\"dtype\":\"F32\",\"shape\":[4611686018427387904,2],\"data_offsets\":[0,0]}", 0),
            "tensor \"a\" of type F32 and shape [4611686018427387904, 2] has 0 bytes",
        ),
        (of("{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}", 5), "its tensors have 4 bytes, the file has 5"),
        (of("{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}", 4), "expected a whole number below 2^64"),
        (
            of("{\"dtype\":\"F4\",\"shape\":[2],\"data_offsets\":[0,1]}", 1),
            "tensor \"a\" has elements of type \"F4\"; readable are F64",
        ),
        (
            with_header(
                "{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[1,3]}}",
                3,
            ),
            "tensor \"b\" begins at byte 1, expected 2",
        ),
        (
            with_header(
                "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,2]}}",
                2,
            ),
            "two tensors are called \"a\"",
        ),
    ];
    for (bytes, expected) in cases {
        fs::write(&path, bytes).unwrap();
        let error = StateDict::<f32>::read(&path).unwrap_err();
        assert!(matches!(error, Error::Format { .. }), "{error}");
        let text = error.to_string();
        assert!(text.starts_with(&format!("{}: not a valid safetensors file: ", path.display())), "{text}");
        assert!(text.contains(expected), "{text}\nexpected: {expected}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn memory_is_asked_for_what_the_model_has_only() {
    // 8 TiB on paper; the file system keeps nothing of it.
    let path = folder("sparse").join("x");
    let header = "{\"0.weight\":{\"dtype\":\"F32\",\"shape\":[2199023255552],\"data_offsets\":[0,8796093022208]}}";
    fs::write(&path, with_header(header, 0)).unwrap();
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    if file.set_len(8 + header.len() as u64 + (1 << 43)).is_err() {
        return; // a file system without files of this size
    }
    let text = model(0).load(&path).unwrap_err().to_string();
    fs::remove_file(&path).unwrap(); // whoever copies the folder would find it to be 8 TiB
    assert!(text.contains("\"0.weight\" has shape [2199023255552], expected [5, 3]"), "{text}");
}

proptest! {
    #[test]
    fn damaged_files_never_panic(at in 0_usize..400, byte: u8, cut in 0_usize..400, name in "[a-z]{8}") {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("damaged");
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join(name);
        model(0).save(&path).unwrap();
        let mut bytes = fs::read(&path).unwrap();
        let at = at % bytes.len();
        bytes[at] = byte;
        bytes.truncate(bytes.len() - cut % bytes.len());
        fs::write(&path, &bytes).unwrap();
        let _ = model(1).load(&path);
        let _ = StateDict::<f64>::read(&path);
        fs::remove_file(&path).unwrap();
    }

    #[test]
    fn any_names_and_shapes_come_back(entries in proptest::collection::btree_map(".*", proptest::collection::vec(0_usize..4, 0..4), 0..6), id: u64) {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("any");
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join(id.to_string());
        let mut state = StateDict::<f32>::new();
        for (name, shape) in entries.into_iter().filter(|(name, _)| name != "__metadata__") {
            let size = shape.iter().product();
            state.insert(name, Tensor::from_vec(&shape[..], (0..size).map(|x| x as f32).collect()));
        }
        state.write(&path).unwrap();
        prop_assert_eq!(StateDict::read(&path).unwrap(), state);
        fs::remove_file(&path).unwrap();
    }
}

const SAVE_TO: &str = "WENGERT_TEST_SAVE_TO";

/// The process that is killed below: saves states of ones and twos in turn.
#[test]
#[ignore = "run by the next test, as a process of its own"]
fn saves_until_it_is_killed() {
    let Some(path) = std::env::var_os(SAVE_TO) else { return };
    for k in 0_u64.. {
        let mut state = StateDict::<f32>::new();
        for part in 0..4 {
            state.insert(format!("part {part}"), Tensor::full([250_000], (k % 2 + 1) as f32));
        }
        state.write(&path).unwrap();
    }
}

#[test]
fn a_killed_process_leaves_the_old_state_or_the_new() {
    let folder = folder("killed");
    let path = folder.join("model.safetensors");
    let mut strays = 0;
    for round in 0..12 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "state::saves_until_it_is_killed", "--ignored"])
            .env(SAVE_TO, &path)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let begin = Instant::now();
        while !path.exists() && begin.elapsed() < Duration::from_secs(30) {
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_millis(5 + 7 * round));
        child.kill().unwrap();
        child.wait().unwrap();
        let state = StateDict::<f32>::read(&path).unwrap();
        let first = state.get("part 0").unwrap().at([0]);
        assert!(first == 1.0 || first == 2.0);
        assert_eq!(state.len(), 4);
        assert!(state.iter().all(|(_, part)| part.len() == 250_000 && part.iter().all(|x| x == first)));
        strays += temporary_files(&folder);
        assert!(temporary_files(&folder) <= 1, "the child removes what the one before it left");
    }
    // Killed at twelve moments of a loop that does little but write, some were in the middle.
    assert!(strays > 0, "no child was killed while it wrote: the test tests nothing");
    model(0).save(&path).unwrap();
    assert_eq!(temporary_files(&folder), 0);
}

#[test]
fn a_file_that_is_being_written_is_not_taken_for_a_stray() {
    let folder = folder("two_writers");
    let other = folder.join(".wengert-1-1.tmp");
    let writer = fs::File::create(&other).unwrap();
    writer.lock().unwrap();
    model(0).save(folder.join("model")).unwrap();
    assert!(other.exists());
    drop(writer);
    model(0).save(folder.join("model")).unwrap();
    assert!(!other.exists());
}

#[test]
fn savers_in_many_threads_do_not_disturb_each_other() {
    let folder = folder("threads");
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let folder = &folder;
            scope.spawn(move || {
                for k in 0..10 {
                    let path = folder.join(if k % 2 == 0 { "shared".to_owned() } else { format!("own {thread}") });
                    model(thread).save(&path).unwrap();
                    model(9).load(&path).unwrap();
                }
            });
        }
    });
    assert_eq!(temporary_files(&folder), 0);
}
