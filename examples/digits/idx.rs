//! MNIST-format image sets: IDX files, plain or gzip, from a directory.
//!
//! An IDX file is a magic number (two zero bytes, the element type, the rank), one big-endian `u32` per dimension, and the elements. The
//! header comes from outside and is not believed: memory is taken as bytes arrive, never as announced.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;

use crate::data::{Dataset, Split};

/// Magic number of unsigned bytes of rank 3, `[n, rows, cols]`.
const IMAGES: u32 = 0x0000_0803;

/// Magic number of unsigned bytes of rank 1, `[n]`.
const LABELS: u32 = 0x0000_0801;

/// Elements a file may hold. MNIST has 4.7e7 and the largest EMNIST set 6.4e8; a kilobyte of gzip can claim and deliver any number.
const MAX_ELEMENTS: u64 = 1 << 30;

/// What is wrong with a directory of IDX files.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdxError {
    /// The path is not a directory.
    #[error("{}: not a directory; expected a folder with train-images-idx3-ubyte and its siblings", path.display())]
    NotADirectory {
        /// The path given.
        path: PathBuf,
    },

    /// A file is not there under any of its usual names.
    #[error("{}: no {what} file; tried {}", dir.display(), tried.join(", "))]
    Missing {
        /// The directory searched.
        dir: PathBuf,
        /// Which file.
        what: String,
        /// The names tried.
        tried: Vec<String>,
    },

    /// A file cannot be opened or read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },

    /// A file starts as gzip and does not decompress to its end.
    #[error("{}: damaged or truncated gzip data: {source}", path.display())]
    Gzip {
        /// The file.
        path: PathBuf,
        /// What the decoder says.
        source: io::Error,
    },

    /// A file ends inside its header.
    #[error("{}: truncated header: expected {expected} bytes, found {found}", path.display())]
    Header {
        /// The file.
        path: PathBuf,
        /// Length of the header.
        expected: usize,
        /// Bytes there are.
        found: usize,
    },

    /// A file does not start with the magic number of its kind.
    #[error("{}: magic number {found:#010x}, expected {expected:#010x} ({what})", path.display())]
    Magic {
        /// The file.
        path: PathBuf,
        /// Magic number of the kind.
        expected: u32,
        /// Magic number in the file.
        found: u32,
        /// The kind, in words.
        what: &'static str,
    },

    /// A dimension in the header is zero.
    #[error("{}: the header announces 0 {axis}", path.display())]
    ZeroDimension {
        /// The file.
        path: PathBuf,
        /// `images`, `labels`, `rows` or `columns`.
        axis: &'static str,
    },

    /// The header announces more than this program will hold.
    #[error("{}: the header announces {dims}, more than the limit of {MAX_ELEMENTS} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The dimensions, as `n x rows x cols`.
        dims: String,
    },

    /// There are fewer bytes than the header announces.
    #[error("{}: truncated: expected {expected} bytes after the header, found {found} ({} missing)", path.display(), expected - found)]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Bytes announced.
        expected: u64,
        /// Bytes found.
        found: u64,
    },

    /// There are more bytes than the header announces.
    #[error("{}: trailing data: expected {expected} bytes after the header, found more", path.display())]
    Trailing {
        /// The file.
        path: PathBuf,
        /// Bytes announced.
        expected: u64,
    },

    /// Images and labels are not as many.
    #[error("{} holds {images} images, but {} holds {labels} labels", images_path.display(), labels_path.display())]
    Count {
        /// The file of images.
        images_path: PathBuf,
        /// Images in it.
        images: usize,
        /// The file of labels.
        labels_path: PathBuf,
        /// Labels in it.
        labels: usize,
    },

    /// Training and test images have different sizes.
    #[error("{}: training images are {train}, test images {test}", dir.display())]
    Size {
        /// The directory.
        dir: PathBuf,
        /// Size of the training images, as `rows x cols`.
        train: String,
        /// Size of the test images.
        test: String,
    },
}

/// What a directory holds.
#[derive(Debug, PartialEq)]
pub enum Loaded {
    /// A training and a test set, as their makers split them.
    Both(Split),
    /// One set, still to be split, and the stem of its file names (`t10k` or `train`).
    One(Dataset, &'static str),
}

/// Reads the image set in `dir`: `train-images-idx3-ubyte`, `train-labels-idx1-ubyte` and the same with `t10k`; also with a dot before
/// `idx`, and with `.gz` behind. Whether a file is gzip is seen from its first bytes, not from its name.
///
/// # Errors
/// [`IdxError`], which names the file and what was expected and found.
pub fn load(dir: &Path) -> Result<Loaded, IdxError> {
    if !dir.is_dir() {
        // A path that does not exist has the better message from the system.
        return Err(match std::fs::metadata(dir) {
            Err(source) => IdxError::Io { path: dir.to_owned(), source },
            Ok(_) => IdxError::NotADirectory { path: dir.to_owned() },
        });
    }
    let mut train = load_pair(dir, "train")?;
    let mut test = load_pair(dir, "t10k")?;
    // A class that only one part shows is still a class of both.
    let classes = train.iter().chain(&test).map(|data| data.classes).max().unwrap_or(0);
    train.iter_mut().chain(&mut test).for_each(|data| data.classes = classes);
    match (train, test) {
        (Some(train), Some(test)) if (train.rows, train.cols) == (test.rows, test.cols) => {
            Ok(Loaded::Both(Split { train, test }))
        }
        (Some(train), Some(test)) => Err(IdxError::Size {
            dir: dir.to_owned(),
            train: format!("{} x {}", train.rows, train.cols),
            test: format!("{} x {}", test.rows, test.cols),
        }),
        (Some(data), None) => Ok(Loaded::One(data, "train")),
        (None, Some(data)) => Ok(Loaded::One(data, "t10k")),
        (None, None) => Err(IdxError::Missing {
            dir: dir.to_owned(),
            what: "training or test images".to_owned(),
            tried: [names("train", "images", 3), names("t10k", "images", 3)].concat(),
        }),
    }
}

/// The set with file names starting with `stem`, or `None` when neither of its files is there.
fn load_pair(dir: &Path, stem: &'static str) -> Result<Option<Dataset>, IdxError> {
    let find = |names: &[String]| names.iter().map(|name| dir.join(name)).find(|path| path.exists());
    let (image_names, label_names) = (names(stem, "images", 3), names(stem, "labels", 1));
    let missing = |kind: &str, tried| IdxError::Missing { dir: dir.to_owned(), what: format!("{stem} {kind}"), tried };
    match (find(&image_names), find(&label_names)) {
        (None, None) => Ok(None),
        (None, Some(_)) => Err(missing("images", image_names)),
        (Some(_), None) => Err(missing("labels", label_names)),
        (Some(images), Some(labels)) => {
            let [pixels_file, labels_file] = [&images, &labels].map(|path| {
                let source = File::open(path).map_err(|source| IdxError::Io { path: path.clone(), source })?;
                Ok(BufReader::new(source))
            });
            assemble((&images, read_images(&images, pixels_file?)?), (&labels, read_labels(&labels, labels_file?)?))
                .map(Some)
        }
    }
}

/// The names a file goes by.
fn names(stem: &str, kind: &str, rank: usize) -> Vec<String> {
    ["-idx", ".idx"]
        .iter()
        .flat_map(|idx| ["", ".gz"].map(|gz| format!("{stem}-{kind}{idx}{rank}-ubyte{gz}")))
        .collect()
}

/// Pixels as they are in a file, `[n, rows, cols]`.
#[derive(Debug)]
struct Images {
    pixels: Vec<u8>,
    rows: usize,
    cols: usize,
}

fn assemble(
    (images_path, images): (&Path, Images),
    (labels_path, labels): (&Path, Vec<u8>),
) -> Result<Dataset, IdxError> {
    let n = images.pixels.len() / (images.rows * images.cols);
    if n != labels.len() {
        return Err(IdxError::Count {
            images_path: images_path.to_owned(),
            images: n,
            labels_path: labels_path.to_owned(),
            labels: labels.len(),
        });
    }
    Ok(Dataset {
        images: images.pixels.iter().map(|&pixel| f32::from(pixel) / 255.0).collect(),
        classes: labels.iter().max().map_or(0, |&label| usize::from(label) + 1),
        labels: labels.into_iter().map(u32::from).collect(),
        rows: images.rows,
        cols: images.cols,
    })
}

fn read_images(path: &Path, file: impl BufRead) -> Result<Images, IdxError> {
    let ([_, rows, cols], pixels) =
        read_idx(path, file, IMAGES, "unsigned bytes, images", ["images", "rows", "columns"])?;
    Ok(Images { pixels, rows: rows as usize, cols: cols as usize })
}

fn read_labels(path: &Path, file: impl BufRead) -> Result<Vec<u8>, IdxError> {
    let ([_], labels) = read_idx(path, file, LABELS, "unsigned bytes, labels", ["labels"])?;
    Ok(labels)
}

/// Dimensions and elements of one file.
fn read_idx<const RANK: usize>(
    path: &Path,
    mut file: impl BufRead,
    magic: u32,
    what: &'static str,
    axes: [&'static str; RANK],
) -> Result<([u32; RANK], Vec<u8>), IdxError> {
    let gzip =
        file.fill_buf().map_err(|source| IdxError::Io { path: path.to_owned(), source })?.starts_with(&[0x1f, 0x8b]);
    let read_error = |source| match gzip {
        true => IdxError::Gzip { path: path.to_owned(), source },
        false => IdxError::Io { path: path.to_owned(), source },
    };
    let mut file: Box<dyn Read + '_> = if gzip { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
    let mut read = |limit: u64| {
        let mut bytes = Vec::new();
        // Not `with_capacity(limit)`: the limit is what the header claims.
        file.by_ref().take(limit).read_to_end(&mut bytes).map_err(read_error)?;
        Ok(bytes)
    };

    let header_len = 4 + 4 * RANK;
    let header = read(header_len as u64)?;
    let mut words = header.chunks_exact(4).map(|word| u32::from_be_bytes([word[0], word[1], word[2], word[3]]));
    // The magic number comes before the length: a short file of the wrong kind is first of all of the wrong kind.
    if let Some(found) = words.next().filter(|&found| found != magic) {
        return Err(IdxError::Magic { path: path.to_owned(), expected: magic, found, what });
    }
    if header.len() < header_len {
        return Err(IdxError::Header { path: path.to_owned(), expected: header_len, found: header.len() });
    }
    let mut dims = [0; RANK];
    dims.iter_mut().zip(words).for_each(|(dim, word)| *dim = word);
    if let Some((_, axis)) = dims.iter().zip(axes).find(|&(&dim, _)| dim == 0) {
        return Err(IdxError::ZeroDimension { path: path.to_owned(), axis });
    }
    let expected = dims
        .iter()
        .try_fold(1_u64, |product, &dim| product.checked_mul(u64::from(dim)))
        .filter(|&product| product <= MAX_ELEMENTS)
        .ok_or_else(|| IdxError::TooLarge {
            path: path.to_owned(),
            dims: dims.map(|dim| dim.to_string()).join(" x "),
        })?;

    let elements = read(expected)?;
    if (elements.len() as u64) < expected {
        return Err(IdxError::Truncated { path: path.to_owned(), expected, found: elements.len() as u64 });
    }
    // Asking for one more byte also makes the gzip decoder compare its checksum.
    if !read(1)?.is_empty() {
        return Err(IdxError::Trailing { path: path.to_owned(), expected });
    }
    Ok((dims, elements))
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::atomic::{AtomicU32, Ordering};

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn idx(magic: u32, dims: &[u32], elements: &[u8]) -> Vec<u8> {
        let mut bytes = magic.to_be_bytes().to_vec();
        dims.iter().for_each(|dim| bytes.extend(dim.to_be_bytes()));
        bytes.extend(elements);
        bytes
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).expect("to memory");
        encoder.finish().expect("to memory")
    }

    fn images(bytes: &[u8]) -> Result<Images, String> {
        read_images(Path::new("images"), bytes).map_err(|error| error.to_string())
    }

    fn labels(bytes: &[u8]) -> Result<Vec<u8>, String> {
        read_labels(Path::new("labels"), bytes).map_err(|error| error.to_string())
    }

    /// A directory of its own for a test, removed at its end.
    struct Dir(PathBuf);

    impl Dir {
        fn with(files: &[(&str, Vec<u8>)]) -> Self {
            static COUNT: AtomicU32 = AtomicU32::new(0);
            let name = format!("digits-idx-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
            let dir = Self(std::env::temp_dir().join(name));
            std::fs::create_dir_all(&dir.0).expect("temporary directory");
            for (name, bytes) in files {
                std::fs::write(dir.0.join(name), bytes).expect("temporary file");
            }
            dir
        }

        fn error(&self) -> String {
            let text = load(&self.0).expect_err("malformed").to_string();
            text.replace(&self.0.display().to_string(), "DIR")
        }
    }

    impl Drop for Dir {
        fn drop(&mut self) {
            // A leftover in the temporary directory fails no test.
            drop(std::fs::remove_dir_all(&self.0));
        }
    }

    /// Two images of 1 x 2 and their labels.
    fn pair() -> (Vec<u8>, Vec<u8>) {
        (idx(IMAGES, &[2, 1, 2], &[0, 255, 51, 102]), idx(LABELS, &[2], &[3, 1]))
    }

    #[test]
    fn reads_a_training_and_a_test_set_plain_and_gzip_and_with_dots() {
        let (pixels, marks) = pair();
        let dir = Dir::with(&[
            ("train-images-idx3-ubyte", pixels.clone()),
            ("train-labels-idx1-ubyte.gz", gzip(&marks)),
            ("t10k-images.idx3-ubyte.gz", gzip(&pixels)),
            ("t10k-labels.idx1-ubyte", marks),
        ]);
        let data = Dataset { images: vec![0.0, 1.0, 0.2, 0.4], labels: vec![3, 1], rows: 1, cols: 2, classes: 4 };
        assert_eq!(load(&dir.0).expect("well-formed"), Loaded::Both(Split { train: data.clone(), test: data }));
    }

    #[test]
    fn a_gzip_file_without_its_suffix_is_recognised() {
        let (pixels, _) = pair();
        assert_eq!(images(&gzip(&pixels)).expect("well-formed").pixels, [0, 255, 51, 102]);
    }

    #[test]
    fn one_set_alone_is_returned_unsplit() {
        let (pixels, marks) = pair();
        let dir = Dir::with(&[("t10k-images-idx3-ubyte", pixels), ("t10k-labels-idx1-ubyte", marks)]);
        assert!(matches!(load(&dir.0), Ok(Loaded::One(data, "t10k")) if data.len() == 2));
    }

    #[test]
    fn classes_are_those_of_both_parts() {
        let (pixels, marks) = pair();
        let dir = Dir::with(&[
            ("train-images-idx3-ubyte", pixels.clone()),
            ("train-labels-idx1-ubyte", marks),
            ("t10k-images-idx3-ubyte", pixels),
            ("t10k-labels-idx1-ubyte", idx(LABELS, &[2], &[9, 0])),
        ]);
        let Ok(Loaded::Both(split)) = load(&dir.0) else { panic!("well-formed") };
        assert_eq!((split.train.classes, split.test.classes), (10, 10));
    }

    #[test]
    fn a_missing_file_is_reported_with_the_names_tried() {
        let (pixels, _) = pair();
        assert_eq!(
            Dir::with(&[("train-images-idx3-ubyte", pixels)]).error(),
            "DIR: no train labels file; tried train-labels-idx1-ubyte, train-labels-idx1-ubyte.gz, train-labels.idx1-ubyte, \
             train-labels.idx1-ubyte.gz"
        );
        let text = Dir::with(&[]).error();
        assert!(text.starts_with("DIR: no training or test images file; tried train-images-idx3-ubyte, "), "{text}");
        assert!(text.ends_with("t10k-images.idx3-ubyte.gz"), "{text}");
    }

    #[test]
    fn a_path_that_is_no_directory_is_named() {
        let dir = Dir::with(&[("file", vec![])]);
        let text = load(&dir.0.join("file")).expect_err("a file").to_string();
        assert!(text.contains("file: not a directory; expected a folder with"), "{text}");
        let text = load(&dir.0.join("absent")).expect_err("absent").to_string();
        assert!(text.contains("absent: ") && !text.contains("not a directory"), "{text}");
    }

    #[test]
    fn unequal_counts_and_sizes_are_reported() {
        let (pixels, marks) = pair();
        let dir = Dir::with(&[
            ("t10k-images-idx3-ubyte", pixels.clone()),
            ("t10k-labels-idx1-ubyte", idx(LABELS, &[3], &[1, 2, 3])),
        ]);
        assert_eq!(
            dir.error().replace('\\', "/"),
            "DIR/t10k-images-idx3-ubyte holds 2 images, but DIR/t10k-labels-idx1-ubyte holds 3 labels"
        );
        let dir = Dir::with(&[
            ("train-images-idx3-ubyte", pixels),
            ("train-labels-idx1-ubyte", marks.clone()),
            ("t10k-images-idx3-ubyte", idx(IMAGES, &[2, 2, 1], &[0; 4])),
            ("t10k-labels-idx1-ubyte", marks),
        ]);
        assert_eq!(dir.error(), "DIR: training images are 1 x 2, test images 2 x 1");
    }

    #[test]
    fn a_wrong_magic_number_is_shown() {
        let (pixels, marks) = pair();
        assert_eq!(
            images(&marks).expect_err("labels"),
            "images: magic number 0x00000801, expected 0x00000803 (unsigned bytes, images)"
        );
        assert_eq!(
            labels(&pixels).expect_err("images"),
            "labels: magic number 0x00000803, expected 0x00000801 (unsigned bytes, labels)"
        );
        // Floats instead of bytes.
        assert!(images(&idx(0x0d03, &[1, 1, 1], &[0; 4])).expect_err("floats").contains("0x00000d03"));
    }

    #[test]
    fn every_truncation_is_an_error_that_counts_the_bytes() {
        let (pixels, _) = pair();
        for len in 0..pixels.len() {
            let text = images(&pixels[..len]).expect_err("truncated");
            let expected = match len {
                0..16 => format!("images: truncated header: expected 16 bytes, found {len}"),
                _ => format!(
                    "images: truncated: expected 4 bytes after the header, found {} ({} missing)",
                    len - 16,
                    20 - len
                ),
            };
            assert_eq!(text, expected);
        }
    }

    #[test]
    fn trailing_bytes_are_refused() {
        let (mut pixels, _) = pair();
        pixels.push(0);
        let expected = "images: trailing data: expected 4 bytes after the header, found more";
        assert_eq!(images(&pixels).expect_err("one too many"), expected);
        assert_eq!(images(&gzip(&pixels)).expect_err("one too many"), expected);
    }

    #[test]
    fn a_zero_dimension_is_named() {
        for (dims, axis) in [([0, 1, 1], "images"), ([1, 0, 1], "rows"), ([1, 1, 0], "columns")] {
            assert_eq!(
                images(&idx(IMAGES, &dims, &[])).expect_err(axis),
                format!("images: the header announces 0 {axis}")
            );
        }
        assert_eq!(labels(&idx(LABELS, &[0], &[])).expect_err("labels"), "labels: the header announces 0 labels");
    }

    #[test]
    fn sizes_beyond_the_limit_or_beyond_64_bits_are_refused_without_reading() {
        for dims in [[u32::MAX; 3], [1 << 31, 1 << 31, 4], [(1 << 30) + 1, 1, 1]] {
            let text = images(&idx(IMAGES, &dims, &[])).expect_err("too large");
            assert!(text.contains(&format!("{} x {} x {}, more than the limit", dims[0], dims[1], dims[2])), "{text}");
        }
    }

    #[test]
    fn a_header_within_the_limit_that_lies_takes_no_memory_for_it() {
        // 1 GiB announced, 3 bytes there.
        let text = images(&idx(IMAGES, &[1 << 10, 1 << 10, 1 << 10], &[1, 2, 3])).expect_err("truncated");
        assert!(text.contains("found 3 (1073741821 missing)"), "{text}");
    }

    #[test]
    fn every_truncation_and_every_flipped_byte_of_a_gzip_file_is_an_error_or_harmless() {
        let (pixels, _) = pair();
        let packed = gzip(&pixels);
        for len in 2..packed.len() {
            let text = images(&packed[..len]).expect_err("truncated");
            assert!(text.starts_with("images: damaged or truncated gzip data: "), "{text}");
        }
        for at in 10..packed.len() {
            let mut damaged = packed.clone();
            damaged[at] ^= 0xff;
            assert!(images(&damaged).is_err(), "byte {at}");
        }
    }
}
