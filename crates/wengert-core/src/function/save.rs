//! Saving and loading: a text of lines, one for each thing in the list.
//!
//! ```text
//! wengert function 1        what this is, and the version of the format
//! float f64
//! inputs 2                  how many
//! data 4008000000000000     the data it is bound to, bits in hexadecimal
//! recorded 9                how many operations were recorded before optimising
//! constant 3ff0000000000000 c0, then c1, ..
//! step times x0 c0          v0, then v1, ..: the name of the operation, and its operands
//! step powi v0 3            with parameters at the end
//! guard < x0 x1 true 12 5 src/main.rs
//! output v1
//! end
//! ```
//! Operations are saved by name, so that a file stays good when the table of functions grows. Numbers are saved by
//! their bits: what is loaded gives the same bits as what was saved.

use super::error::Place;
use super::list::{Answer, Guard, Id, List, Op, Step};
use super::{Function, FunctionError};
use crate::tape::Comparison;
use crate::tensor::TensorFloat;
use core::cmp::Ordering;
use core::fmt::Write;
use std::borrow::Cow;
use wengert_kernels::{Float, Parametric};

const VERSION: &str = "wengert function 1";
const QUESTIONS: [Comparison; 6] = [
    Comparison::Less,
    Comparison::LessOrEqual,
    Comparison::Greater,
    Comparison::GreaterOrEqual,
    Comparison::Equal,
    Comparison::Order,
];
const ANSWERS: [Answer; 5] = [
    Answer::Holds(true),
    Answer::Holds(false),
    Answer::Is(Ordering::Less),
    Answer::Is(Ordering::Equal),
    Answer::Is(Ordering::Greater),
];

impl<F: TensorFloat> Function<F> {
    /// The function, with its data, as bytes to keep: lines of text, described in `function/save.rs`. To replace a
    /// file, write another and rename it.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// # fn main() -> Result<(), wengert_core::FunctionError> {
    /// let f = Function::record(&[1.0, 2.0], |x| (x[0] * 0.1).sin() + x[1])?;
    /// let loaded = Function::from_bytes(&f.to_bytes())?;
    /// assert_eq!(loaded.value(&[3.0, 4.0])?, f.value(&[3.0, 4.0])?);
    /// # Ok(()) }
    /// ```
    #[must_use]
    #[doc(alias = "save")]
    pub fn to_bytes(&self) -> Vec<u8> {
        let list = &*self.list;
        let name = |id: Id| match id.number() {
            k if id.is_constant() => format!("c{k}"),
            k if k < list.inputs => format!("x{k}"),
            k if k < list.first_result() => format!("d{}", k - list.inputs),
            k => format!("v{}", k - list.first_result()),
        };
        let mut text = format!("{VERSION}\nfloat {}\ninputs {}\ndata", <F as Float>::NAME, list.inputs);
        for &value in &self.data {
            text += &format!(" {}", bits(value));
        }
        text += &format!("\nrecorded {}\n", self.recorded);
        for &value in &list.constants {
            text += &format!("constant {}\n", bits(value));
        }
        for step in &list.steps {
            let parametric = (step.op == Op::Parametric).then(|| list.parameters[step.operands[1].raw() as usize]);
            text += "step ";
            text += parametric.map_or(step.op.name(), Parametric::name);
            for &id in list.operands(step) {
                text.push(' ');
                text += &name(id);
            }
            for constant in parametric.map_or_else(Vec::new, Parametric::constants) {
                text += &format!(" {constant}");
            }
            text.push('\n');
        }
        for Guard { a, b, question, answer, place } in &list.guards {
            let Place { file, line, column } = place;
            // Writing to a string cannot fail.
            let _ = writeln!(text, "guard {question} {} {} {answer} {line} {column} {file}", name(*a), name(*b));
        }
        for &output in &list.outputs {
            text += &format!("output {}\n", name(output));
        }
        text += "end\n";
        text.into_bytes()
    }

    /// The function that [`to_bytes`](Self::to_bytes) made these bytes of.
    ///
    /// # Errors
    /// [`FunctionError::Format`] if they are anything else, with the line and what was expected there. No bytes make it
    /// panic, and it never takes more memory than a small multiple of their number.
    #[doc(alias = "load")]
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, FunctionError> {
        let text = match core::str::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => {
                let before = &bytes[..error.valid_up_to()];
                let line = before.iter().filter(|&&byte| byte == b'\n').count() + 1;
                return Err(FunctionError::Format { line, reason: "not text in UTF-8".into() });
            }
        };
        let mut reader = Reader { line: 0, lines: text.lines() };
        reader.function()
    }
}

/// The bits of a number, as an `f64` has them.
fn bits<F: TensorFloat>(value: F) -> String {
    format!("{:016x}", value.to_f64().to_bits())
}

struct Reader<'a> {
    line: usize,
    lines: core::str::Lines<'a>,
}

impl<'a> Reader<'a> {
    fn refuse<T>(&self, reason: impl Into<Cow<'static, str>>) -> Result<T, FunctionError> {
        Err(FunctionError::Format { line: self.line, reason: reason.into() })
    }

    /// The next line.
    fn next(&mut self) -> Result<&'a str, FunctionError> {
        self.line += 1;
        match self.lines.next() {
            Some(line) => Ok(line),
            None => self.refuse("the file ends here, expected more"),
        }
    }

    /// The rest of the next line, which must begin with a word.
    fn after(&mut self, word: &'static str) -> Result<&'a str, FunctionError> {
        match self.next()?.strip_prefix(word) {
            Some(rest) if rest.is_empty() || rest.starts_with(' ') => Ok(rest.trim_start()),
            _ => self.refuse(format!("expected `{word}`")),
        }
    }

    fn number(&self, word: Option<&str>, what: &'static str) -> Result<usize, FunctionError> {
        match word.and_then(|word| word.parse().ok()) {
            Some(number) if number < Id::LIMIT => Ok(number),
            _ => self.refuse(format!("expected {what}, a number below {}", Id::LIMIT)),
        }
    }

    fn float<F: TensorFloat>(&self, word: &str) -> Result<F, FunctionError> {
        let value = if word.len() == 16 { u64::from_str_radix(word, 16).ok() } else { None };
        let value = value.map(|bits| (f64::from_bits(bits), F::from_f64(f64::from_bits(bits))));
        match value {
            Some((exact, value)) if value.to_f64() == exact || exact.is_nan() => Ok(value),
            _ => self.refuse(format!("expected the 16 hexadecimal digits of a number of {}", <F as Float>::NAME)),
        }
    }

    /// An operand: nothing that comes later.
    fn operand<F: TensorFloat>(&self, list: &List<F>, word: Option<&str>) -> Result<Id, FunctionError> {
        let word = word.unwrap_or_default();
        let number = word.get(1..).and_then(|digits| digits.parse::<usize>().ok());
        let id = match (word.as_bytes().first(), number) {
            (Some(b'c'), Some(k)) if k < list.constants.len() => Some(Id::constant(k)),
            (Some(b'x'), Some(k)) if k < list.inputs => Some(Id::value(k)),
            (Some(b'd'), Some(k)) if k < list.data => Some(Id::value(list.inputs + k)),
            (Some(b'v'), Some(k)) if k < list.steps.len() => Some(Id::value(list.first_result() + k)),
            _ => None,
        };
        id.map_or_else(|| self.refuse(format!("expected an operand that exists, found `{word}`")), Ok)
    }

    fn function<F: TensorFloat>(&mut self) -> Result<Function<F>, FunctionError> {
        if self.next()? != VERSION {
            return self.refuse(format!("expected `{VERSION}`: not a saved function, or one of another version"));
        }
        if self.after("float")? != <F as Float>::NAME {
            return self.refuse(format!("expected a function of {}", <F as Float>::NAME));
        }
        let inputs = self.after("inputs")?;
        let inputs = self.number(Some(inputs), "the number of inputs")?;
        if inputs == 0 {
            return self.refuse("a function needs at least one input");
        }
        let words = self.after("data")?.split_whitespace();
        let data: Vec<F> = words.map(|word| self.float(word)).collect::<Result<_, _>>()?;
        let recorded = self.after("recorded")?;
        let recorded = self.number(Some(recorded), "the number of operations recorded")?;
        let mut list = List {
            inputs,
            data: data.len(),
            constants: Vec::new(),
            steps: Vec::new(),
            pool: Vec::new(),
            parameters: Vec::new(),
            outputs: Vec::new(),
            guards: Vec::new(),
        };
        loop {
            let line = self.next()?;
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            if inputs + data.len() + list.steps.len() + list.constants.len() >= Id::LIMIT {
                return self.refuse(format!("more than {} values", Id::LIMIT));
            }
            match word {
                "constant" => {
                    let value = self.float(rest)?;
                    list.constants.push(value);
                }
                "step" => self.step(&mut list, rest)?,
                "guard" => self.guard(&mut list, rest)?,
                "output" => {
                    let output = self.operand(&list, Some(rest))?;
                    list.outputs.push(output);
                }
                "end" if list.outputs.is_empty() => return self.refuse("expected an output before the end"),
                // The rest of an older, longer file that this one was written over.
                "end" if self.lines.next().is_some() => {
                    self.line += 1;
                    return self.refuse("expected nothing after the end");
                }
                "end" => return Ok(Function::of_list(list, recorded, data)),
                _ => return self.refuse("expected `constant`, `step`, `guard`, `output` or `end`"),
            }
        }
    }

    fn step<F: TensorFloat>(&self, list: &mut List<F>, text: &str) -> Result<(), FunctionError> {
        let mut words = text.split_whitespace();
        let named = words.next().unwrap_or_default();
        let parametric = Parametric::SAMPLES.iter().any(|op| op.name() == named).then_some(Op::Parametric);
        let Some(op) = parametric.or_else(|| Op::named(named)) else { return self.refuse("no such operation") };
        let mut operands = [Id::from_raw(0); 3];
        match op.arity() {
            Some(arity) => {
                for operand in &mut operands[..arity] {
                    *operand = self.operand(list, words.next())?;
                }
                if op == Op::Parametric {
                    let constants: Option<Vec<f64>> = words.by_ref().map(|word| word.parse().ok()).collect();
                    let Some(parameters) = constants.and_then(|constants| Parametric::named(named, &constants)) else {
                        return self.refuse(format!("expected the constants of {named}"));
                    };
                    operands[1] = Id::from_raw(list.parameters.len() as u32);
                    list.parameters.push(parameters);
                }
                if words.next().is_some() {
                    return self.refuse(format!("{} takes {arity} operands", op.name()));
                }
            }
            None => {
                let start = list.pool.len();
                for word in words {
                    let operand = self.operand(list, Some(word))?;
                    list.pool.push(operand);
                }
                let len = list.pool.len() - start;
                if len == 0 || op == Op::Nary(crate::tape::Nary::Dot) && len % 2 == 1 {
                    return self.refuse(format!("{} of {len} operands", op.name()));
                }
                operands[..2].copy_from_slice(&[start, len].map(|number| Id::from_raw(number as u32)));
            }
        }
        list.steps.push(Step { op, operands });
        Ok(())
    }

    fn guard<F: TensorFloat>(&self, list: &mut List<F>, text: &str) -> Result<(), FunctionError> {
        let mut words = text.splitn(7, ' ');
        let word = words.next().unwrap_or_default();
        let question = QUESTIONS.into_iter().find(|question| question.to_string() == word);
        let (a, b) = (self.operand(list, words.next())?, self.operand(list, words.next())?);
        let word = words.next().unwrap_or_default();
        let answer = ANSWERS.into_iter().find(|answer| answer.to_string() == word);
        let line = self.number(words.next(), "a line")? as u32;
        let column = self.number(words.next(), "a column")? as u32;
        let file = Cow::Owned(words.next().unwrap_or_default().to_owned());
        match (question, answer) {
            (Some(question), Some(answer)) if (question == Comparison::Order) == matches!(answer, Answer::Is(_)) => {
                list.guards.push(Guard { a, b, question, answer, place: Place { file, line, column } });
                Ok(())
            }
            _ => self.refuse("expected a comparison and its answer"),
        }
    }
}
