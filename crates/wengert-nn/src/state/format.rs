//! The safetensors format: 8 bytes with the length of a header, the header in JSON, the elements.
//!
//! The header has for each tensor its type, its shape and where its bytes begin and end after the header; they follow
//! one another without gaps to the end of the file, little-endian and row-major.
//! <https://huggingface.co/docs/safetensors>
//!
//! Nothing in a file is believed before it is checked against the length of the file.

use super::StateDict;
use super::json::{Reader, quoted};
use crate::error::Error;
use std::collections::HashSet;
use std::fs;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use wengert_core::{Float, TensorFloat};
use wengert_tensor::{Shape, Tensor};

/// What the reference implementation accepts at most.
const LONGEST_HEADER: u64 = 100_000_000;

/// Axes a tensor may have; NumPy and PyTorch allow as many. A list of millions would take many times its text in memory.
const MOST_AXES: usize = 64;

/// Bytes converted at a time; a multiple of every element's size.
const CHUNK: usize = 1 << 16;

/// A file whose header has been read and checked.
#[derive(Debug)]
pub(super) struct File {
    path: PathBuf,
    file: fs::File,
    tensors: Vec<TensorInfo>,
    /// Where the elements begin.
    start: u64,
}

/// One tensor of a file.
#[derive(Debug)]
pub(super) struct TensorInfo {
    pub(super) name: String,
    pub(super) shape: Shape,
    kind: String,
    /// First byte and byte after the last, from where the elements begin.
    bytes: [u64; 2],
}

/// How the elements of one type are read.
struct Kind {
    name: &'static str,
    size: usize,
}

macro_rules! kinds {
    ($($name:literal, $size:literal, $read:expr;)*) => {
        const KINDS: &[Kind] = &[ $( Kind { name: $name, size: $size } ),* ];

        /// Converts the elements in `bytes`.
        fn convert<F: TensorFloat>(kind: &Kind, bytes: &[u8], values: &mut [F]) {
            $(
                if kind.name == $name {
                    let read: fn([u8; $size]) -> f64 = $read;
                    for (value, bytes) in values.iter_mut().zip(bytes.as_chunks::<$size>().0) {
                        *value = F::from_f64(read(*bytes));
                    }
                }
            )*
        }
    };
}
kinds! {
    "F64", 8, f64::from_le_bytes;
    "F32", 4, |b| f64::from(f32::from_le_bytes(b));
    "F16", 2, |b| from_half(u16::from_le_bytes(b));
    "BF16", 2, |b| f64::from(f32::from_bits(u32::from(u16::from_le_bytes(b)) << 16));
    "I64", 8, |b| i64::from_le_bytes(b) as f64;
    "U64", 8, |b| u64::from_le_bytes(b) as f64;
    "I32", 4, |b| f64::from(i32::from_le_bytes(b));
    "U32", 4, |b| f64::from(u32::from_le_bytes(b));
    "I16", 2, |b| f64::from(i16::from_le_bytes(b));
    "U16", 2, |b| f64::from(u16::from_le_bytes(b));
    "I8", 1, |b| f64::from(i8::from_le_bytes(b));
    "U8", 1, |b| f64::from(b[0]);
    "BOOL", 1, |b| f64::from(b[0]);
}

/// IEEE 754 binary16: 1 sign, 5 exponent, 10 mantissa bits.
fn from_half(bits: u16) -> f64 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, mantissa) = (i32::from(bits >> 10 & 31), f64::from(bits & 1023));
    sign * match exponent {
        0 => mantissa * 2.0_f64.powi(-24),
        31 if mantissa == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1024.0 + mantissa) * 2.0_f64.powi(exponent - 25),
    }
}

impl File {
    /// Opens a file and reads its header.
    pub(super) fn open(path: &Path) -> Result<File, Error> {
        let read = |source| Error::Read { path: path.to_owned(), source };
        let mut file = fs::File::open(path).map_err(read)?;
        let metadata = file.metadata().map_err(read)?;
        if !metadata.is_file() {
            // A device or a pipe may never end.
            return Err(read(io::Error::other("not a regular file")));
        }
        let refused = |reason: String| Error::Format { path: path.to_owned(), reason };
        let len = metadata.len();
        let Some(rest) = len.checked_sub(8) else {
            return Err(refused(format!("{len} bytes are too few for the length of a header")));
        };
        let mut size = [0; 8];
        file.read_exact(&mut size).map_err(read)?;
        let size = u64::from_le_bytes(size);
        if size > rest || size > LONGEST_HEADER {
            let text =
                format!("it announces a header of {size} bytes, with {rest} bytes left and {LONGEST_HEADER} allowed");
            return Err(refused(text));
        }
        let mut header = vec![0; size as usize];
        file.read_exact(&mut header).map_err(read)?;
        let tensors = String::from_utf8(header)
            .map_err(|_| "the header is not UTF-8".to_owned())
            .and_then(|header| parse(&header, rest - size))
            .map_err(refused)?;
        Ok(File { path: path.to_owned(), file, tensors, start: 8 + size })
    }

    /// What is in the file, in the order of the elements.
    pub(super) fn tensors(&self) -> &[TensorInfo] {
        &self.tensors
    }

    /// Reads a tensor by its number.
    pub(super) fn read<F: TensorFloat>(&mut self, number: usize) -> Result<Tensor<F>, Error> {
        let TensorInfo { name, shape, kind, bytes } = &self.tensors[number];
        let Some(kind) = KINDS.iter().find(|known| known.name == *kind) else {
            let known = KINDS.iter().map(|kind| kind.name).collect::<Vec<_>>().join(", ");
            let reason = format!("tensor {name:?} has elements of type {kind:?}; readable are {known}");
            return Err(Error::Format { path: self.path.clone(), reason });
        };
        let mut value = Tensor::try_scratch(shape.clone())?;
        let read = |source| Error::Read { path: self.path.clone(), source };
        self.file.seek(SeekFrom::Start(self.start + bytes[0])).map_err(read)?;
        let mut buffer = vec![0; CHUNK.min((bytes[1] - bytes[0]) as usize)];
        for values in value.make_mut().chunks_mut(CHUNK / kind.size) {
            let bytes = &mut buffer[..values.len() * kind.size];
            self.file.read_exact(bytes).map_err(read)?;
            convert(kind, bytes, values);
        }
        Ok(value)
    }
}

/// The tensors a header describes, if it describes `len` bytes of elements.
fn parse(header: &str, len: u64) -> Result<Vec<TensorInfo>, String> {
    let mut tensors = Vec::new();
    let mut reader = Reader::new(header);
    reader.object(|reader, name| {
        if name == "__metadata__" {
            return reader.skip();
        }
        let (mut kind, mut shape, mut bytes) = (None, None, None);
        reader.object(|reader, key| {
            match key.as_str() {
                "dtype" => kind = Some(reader.string()?),
                "shape" => shape = Some(reader.numbers(MOST_AXES)?),
                "data_offsets" => bytes = Some(reader.numbers(2)?),
                _ => reader.skip()?,
            }
            Ok(())
        })?;
        let (Some(kind), Some(shape), Some(bytes)) = (kind, shape, bytes) else {
            return Err(format!("tensor {name:?} lacks dtype, shape or data_offsets"));
        };
        let Ok(bytes) = <[u64; 2]>::try_from(bytes) else {
            return Err(format!("tensor {name:?} has data_offsets that are not a first and a last byte"));
        };
        tensors.push(checked(name, kind, &shape, bytes, len)?);
        Ok(())
    })?;
    reader.end()?;
    tensors.sort_by_key(|tensor| tensor.bytes);
    let mut names = HashSet::new();
    let mut end = 0;
    for TensorInfo { name, bytes, .. } in &tensors {
        if !names.insert(name) {
            return Err(format!("two tensors are called {name:?}"));
        }
        if bytes[0] != end {
            return Err(format!(
                "tensor {name:?} begins at byte {}, expected {end}, the end of the one before",
                bytes[0]
            ));
        }
        end = bytes[1];
    }
    if end == len {
        Ok(tensors)
    } else {
        Err(format!("its tensors have {end} bytes, the file has {len}; is it cut off?"))
    }
}

/// A tensor whose bytes are in the file and as many as its shape needs.
fn checked(name: String, kind: String, shape: &[u64], bytes: [u64; 2], len: u64) -> Result<TensorInfo, String> {
    let [start, end] = bytes;
    if start > end || end > len {
        return Err(format!("tensor {name:?} has bytes {start} to {end} of {len}; is the file cut off?"));
    }
    if let Some(known) = KINDS.iter().find(|known| known.name == kind) {
        let needed = shape.iter().try_fold(known.size as u64, |size, &dim| size.checked_mul(dim));
        if needed != Some(end - start) {
            let shape = shape.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
            return Err(format!("tensor {name:?} of type {kind} and shape [{shape}] has {} bytes", end - start));
        }
    }
    // Dimensions beyond the address space come with no elements only; no model has them.
    let shape = shape.iter().map(|&dim| usize::try_from(dim).unwrap_or(usize::MAX)).collect();
    Ok(TensorInfo { name, shape, kind, bytes })
}

/// Writes a state. Equal states give equal files.
pub(super) fn write<F: TensorFloat>(state: &StateDict<F>, out: &mut impl Write) -> io::Result<()> {
    let kind = <F as Float>::NAME.to_ascii_uppercase();
    // PyTorch's loaders want to know who wrote the file; the layout is theirs.
    let mut header = "{\"__metadata__\":{\"format\":\"pt\"}".to_owned();
    let mut end = 0;
    for (name, value) in state.iter() {
        let start = end;
        end += size_of::<F>() * value.len();
        let shape = value.shape().iter().map(usize::to_string).collect::<Vec<_>>().join(",");
        let name = quoted(name);
        header += &format!(",{name}:{{\"dtype\":\"{kind}\",\"shape\":[{shape}],\"data_offsets\":[{start},{end}]}}");
    }
    header.push('}');
    // Elements on a multiple of 8 can be used where they lie by readers that map the file.
    while !header.len().is_multiple_of(8) {
        header.push(' ');
    }
    out.write_all(&(header.len() as u64).to_le_bytes())?;
    out.write_all(header.as_bytes())?;
    let mut bytes = Vec::with_capacity(CHUNK);
    for (_, value) in state.iter() {
        let value = value.to_contiguous();
        for values in value.as_slice().unwrap_or_default().chunks(CHUNK / size_of::<F>()) {
            bytes.clear();
            for value in values {
                match size_of::<F>() {
                    4 => bytes.extend_from_slice(&(value.to_f64() as f32).to_le_bytes()),
                    _ => bytes.extend_from_slice(&value.to_f64().to_le_bytes()),
                }
            }
            out.write_all(&bytes)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_precision_is_widened_exactly() {
        // IEEE 754-2008, table 3.5: the extremes, one, and their neighbours.
        for (bits, value) in [
            (0x0000, 0.0),
            (0x0001, 5.960464477539063e-8),
            (0x03ff, 6.097555160522461e-5),
            (0x0400, 6.103515625e-5),
            (0x3555, 0.333251953125),
            (0x3c00, 1.0),
            (0x3c01, 1.0009765625),
            (0x7bff, 65504.0),
            (0x7c00, f64::INFINITY),
            (0xc000, -2.0),
            (0xfc00, f64::NEG_INFINITY),
        ] {
            assert_eq!(from_half(bits), value, "{bits:04x}");
        }
        assert!(from_half(0x8000).is_sign_negative());
        assert!(from_half(0x7e00).is_nan());
    }
}
