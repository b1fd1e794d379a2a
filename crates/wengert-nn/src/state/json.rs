//! As much JSON as the header of a safetensors file has.
//!
//! A reader of our own, because a general one would be two fifths of what a program with this crate compiles; it reads
//! what others write and refuses the rest, by position.

/// Reads a text from its start.
pub(super) struct Reader<'a> {
    text: &'a str,
    at: usize,
}

/// How deep values that are skipped may be nested: the format has two levels.
const DEPTH: usize = 16;

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Reader { text, at: 0 }
    }

    /// Says where it stopped.
    pub(super) fn refuse<T>(&self, expected: &str) -> Result<T, String> {
        let found = match self.text[self.at..].chars().next() {
            Some(c) => format!("{c:?}"),
            None => "its end".to_owned(),
        };
        Err(format!("the header has {found} at byte {}, expected {expected}", self.at))
    }

    fn peek(&mut self) -> Option<u8> {
        let rest = &self.text.as_bytes()[self.at..];
        self.at += rest.iter().take_while(|c| matches!(c, b' ' | b'\t' | b'\n' | b'\r')).count();
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, c: u8) -> bool {
        let found = self.peek() == Some(c);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, c: u8) -> Result<(), String> {
        if self.take(c) { Ok(()) } else { self.refuse(&format!("{:?}", c as char)) }
    }

    /// Nothing but white space is left.
    pub(super) fn end(&mut self) -> Result<(), String> {
        if self.peek().is_none() { Ok(()) } else { self.refuse("its end") }
    }

    /// Calls `entry` with each key of an object; it must read the value.
    pub(super) fn object(
        &mut self,
        mut entry: impl FnMut(&mut Self, String) -> Result<(), String>,
    ) -> Result<(), String> {
        self.expect(b'{')?;
        if self.take(b'}') {
            return Ok(());
        }
        loop {
            let key = self.string()?;
            self.expect(b':')?;
            entry(self, key)?;
            if !self.take(b',') {
                return self.expect(b'}');
            }
        }
    }

    /// A list of whole numbers, no more than some: two bytes of text are eight as a number.
    pub(super) fn numbers(&mut self, most: usize) -> Result<Vec<u64>, String> {
        let mut numbers = Vec::new();
        self.list(|reader| {
            if numbers.len() == most {
                reader.peek();
                return reader.refuse(&format!("at most {most} numbers in a list"));
            }
            numbers.push(reader.number()?);
            Ok(())
        })?;
        Ok(numbers)
    }

    fn list(&mut self, mut item: impl FnMut(&mut Self) -> Result<(), String>) -> Result<(), String> {
        self.expect(b'[')?;
        if self.take(b']') {
            return Ok(());
        }
        loop {
            item(self)?;
            if !self.take(b',') {
                return self.expect(b']');
            }
        }
    }

    fn number(&mut self) -> Result<u64, String> {
        self.peek();
        let rest = &self.text[self.at..];
        let len = rest.bytes().take_while(u8::is_ascii_digit).count();
        match rest[..len].parse() {
            Ok(number) if !matches!(rest.as_bytes().get(len), Some(b'.' | b'e' | b'E')) => {
                self.at += len;
                Ok(number)
            }
            _ => self.refuse("a whole number below 2^64"),
        }
    }

    pub(super) fn string(&mut self) -> Result<String, String> {
        self.expect(b'"')?;
        let mut text = String::new();
        loop {
            let rest = &self.text[self.at..];
            let plain = rest.find(|c: char| c == '"' || c == '\\' || c < ' ').unwrap_or(rest.len());
            text.push_str(&rest[..plain]);
            self.at += plain;
            match self.text.as_bytes().get(self.at) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(text);
                }
                Some(b'\\') => {
                    self.at += 1;
                    text.push(self.escaped()?);
                }
                _ => return self.refuse("the end of a string"),
            }
        }
    }

    fn escaped(&mut self) -> Result<char, String> {
        let c = self.text.as_bytes().get(self.at).copied();
        let plain = match c {
            Some(c @ (b'"' | b'\\' | b'/')) => c as char,
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                let first = self.code_unit()?;
                // A character beyond 16 bits is two units, the first of them from D800 to DBFF.
                let units = if (0xD800..0xDC00).contains(&first) && self.text[self.at..].starts_with("\\u") {
                    self.at += 1;
                    vec![first, self.code_unit()?]
                } else {
                    vec![first]
                };
                let mut characters = char::decode_utf16(units);
                return match (characters.next(), characters.next()) {
                    (Some(Ok(c)), None) => Ok(c),
                    _ => self.refuse("both halves of a character before this"),
                };
            }
            _ => return self.refuse("an escape sequence"),
        };
        self.at += 1;
        Ok(plain)
    }

    /// Four hexadecimal digits after a `u`.
    fn code_unit(&mut self) -> Result<u16, String> {
        let digits = self.text.get(self.at + 1..self.at + 5).filter(|d| d.bytes().all(|d| d.is_ascii_hexdigit()));
        match digits.map(|digits| u16::from_str_radix(digits, 16)) {
            Some(Ok(unit)) => {
                self.at += 5;
                Ok(unit)
            }
            _ => self.refuse("four hexadecimal digits after it"),
        }
    }

    /// Reads any value and forgets it.
    pub(super) fn skip(&mut self) -> Result<(), String> {
        self.skip_within(DEPTH)
    }

    fn skip_within(&mut self, depth: usize) -> Result<(), String> {
        let Some(inner) = depth.checked_sub(1) else { return self.refuse("less nesting") };
        match self.peek() {
            Some(b'"') => self.string().map(drop),
            Some(b'{') => self.object(|reader, _| reader.skip_within(inner)),
            Some(b'[') => self.list(|reader| reader.skip_within(inner)),
            _ => {
                let rest = &self.text[self.at..];
                let len = rest.bytes().take_while(|c| c.is_ascii_alphanumeric() || b"+-.".contains(c)).count();
                let word = &rest[..len];
                if matches!(word, "true" | "false" | "null") || word.parse::<f64>().is_ok() {
                    self.at += len;
                    Ok(())
                } else {
                    self.refuse("a value")
                }
            }
        }
    }
}

/// `text` as a JSON string.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                quoted.push('\\');
                quoted.push(c);
            }
            c if c < ' ' => quoted.push_str(&format!("\\u{:04x}", c as u32)),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn string(text: &str) -> Result<String, String> {
        Reader::new(text).string()
    }

    #[test]
    fn strings_are_unescaped() {
        assert_eq!(string(r#""a\"\\\/\b\f\n\r\t""#).unwrap(), "a\"\\/\u{8}\u{c}\n\r\t");
        assert_eq!(string(r#""\u00e9 \ud83d\ude00 é""#).unwrap(), "é 😀 é");
    }

    #[test]
    fn damaged_strings_are_refused_by_position() {
        assert_eq!(string("\"ab").unwrap_err(), "the header has its end at byte 3, expected the end of a string");
        assert_eq!(string("\"a\nb\"").unwrap_err(), "the header has '\\n' at byte 2, expected the end of a string");
        for text in [
            r#""\x""#,
            r#""\u12""#,
            r#""\u+123""#,
            r#""\ud83d""#,
            r#""\ud83d\u0041""#,
            r#""\ude00""#,
            "\"\\",
            "\"\\u123é\"",
        ] {
            assert!(string(text).is_err(), "{text}");
        }
    }

    #[test]
    fn numbers_are_whole_and_fit() {
        assert_eq!(Reader::new(" [ 0 , 18446744073709551615 ] ").numbers(2).unwrap(), [0, u64::MAX]);
        assert_eq!(Reader::new("[]").numbers(2).unwrap(), []);
        for text in ["[18446744073709551616]", "[-1]", "[1.5]", "[1e3]", "[1,]", "[,1]", "[1", "[true]", "[1 2]"] {
            assert!(Reader::new(text).numbers(2).is_err(), "{text}");
        }
        let error = Reader::new("[1, 2, 3]").numbers(2).unwrap_err();
        assert_eq!(error, "the header has '3' at byte 7, expected at most 2 numbers in a list");
    }

    #[test]
    fn anything_can_be_skipped_but_not_without_end() {
        let mut reader = Reader::new(r#"{"a": [1.5e-3, {"b": null}], "c": "x}"} 7"#);
        reader.skip().unwrap();
        reader.skip().unwrap();
        reader.end().unwrap();
        assert!(Reader::new(&"[".repeat(1_000_000)).skip().unwrap_err().contains("less nesting"));
        assert!(Reader::new("nul").skip().is_err());
    }

    #[test]
    fn quoting_is_undone_by_reading() {
        for text in ["", "features.0.weight", "\"\\/\n\t\u{1}é😀"] {
            assert_eq!(string(&quoted(text)).unwrap(), text);
        }
    }
}
