//! The SQL that lies in a component's data, as a hint: found by how a compiler leaves strings, and without running
//! anything. SQL that a migration puts together as it runs is not here, or with gaps.
//!
//! A `&str` is a pointer and a length, side by side in data or near each other among a function's constants; of what
//! `format!` puts together, the template lies in the data. A component may hold anything, so all that is looked at
//! and kept is bounded, and the work is linear.

mod template;
mod words;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::Serialize;
use wasmparser::{ConstExpr, DataKind, DataSectionReader, FunctionBody, Operator, Parser, Payload};

use crate::guard::statement;
use template::{literal, template};
use words::{is_piece, word};

/// SQL found in a component.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Text {
    /// The text; `…` stands for what the migration puts in as it runs.
    pub sql: String,
    /// How much of a statement it is.
    pub form: Form,
}

/// How much of a statement a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// A whole one.
    Whole,
    /// One with gaps.
    Gaps,
    /// The beginning of one.
    Piece,
}

/// All that was found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Texts {
    /// The texts, sorted, none twice.
    pub found: Vec<Text>,
    /// Whether there may be more: a bound was met.
    pub more: bool,
}

/// The shortest and the longest text, in bytes.
const SHORTEST: usize = 8;
const LONGEST: usize = 64 * 1024;
/// The most texts that are kept.
const MOST: usize = 200;
/// The most places where a text may begin, and lengths that are tried at each.
const MOST_PLACES: usize = 2000;
const MOST_LENGTHS: usize = 8;
/// How many of a function's constants may lie between a pointer and its length.
const NEAR: usize = 6;
/// The most segments, and bytes of data, and constants of functions that are looked at.
const MOST_SEGMENTS: usize = 100_000;
const MOST_DATA: usize = 4 << 20;
const MOST_CONSTANTS: usize = 500_000;
/// The most bytes that the parser is given, and that are looked at as texts, one over the other.
const MOST_PARSED: usize = 1 << 20;
const MOST_LOOKED_AT: usize = 8 << 20;

/// Stands for what a migration puts in as it runs.
const GAP: char = '…';

/// The SQL in a component, which must be valid.
pub fn texts(bytes: &[u8]) -> Texts {
    let mut finder = Finder::default();
    let mut module = Module::default();
    for payload in Parser::new(0).parse_all(bytes) {
        match payload {
            Ok(Payload::DataSection(section)) => module.add(section, &mut finder.more),
            Ok(Payload::CodeSectionEntry(body)) => module.bodies.push(body),
            Ok(Payload::End(_)) => finder.module(std::mem::take(&mut module)),
            Ok(_) => {}
            // a valid component has none
            Err(_) => break,
        }
    }
    finder.finish()
}

/// A core module's memory before it runs, and its functions.
#[derive(Default)]
struct Module<'a> {
    segments: Vec<(u32, &'a [u8])>,
    bodies: Vec<FunctionBody<'a>>,
}

impl<'a> Module<'a> {
    fn add(&mut self, section: DataSectionReader<'a>, more: &mut bool) {
        for data in section.into_iter().flatten() {
            if self.segments.len() == MOST_SEGMENTS {
                *more = true;
                break;
            }
            if let DataKind::Active { offset_expr, .. } = data.kind
                && let Some(at) = constant(&offset_expr)
            {
                self.segments.push((at, data.data));
            }
        }
        self.segments.sort_by_key(|(at, _)| *at);
    }

    /// What lies at an address, to the end of its segment.
    fn at(&self, address: u32) -> Option<&'a [u8]> {
        let behind = self.segments.partition_point(|(at, _)| *at <= address);
        let (at, data) = self.segments.get(behind.checked_sub(1)?)?;
        data.get((address - at) as usize..)
    }
}

fn constant(expression: &ConstExpr<'_>) -> Option<u32> {
    match expression.get_operators_reader().read().ok()? {
        Operator::I32Const { value } => Some(value.cast_unsigned()),
        _ => None,
    }
}

#[derive(Default)]
struct Finder {
    found: BTreeSet<Text>,
    more: bool,
    data: usize,
    constants: usize,
    parsed: usize,
    looked_at: usize,
}

/// Where texts may begin, and the lengths that each may have; those side by side with it in data are for certain.
type Places = BTreeMap<u32, BTreeMap<usize, bool>>;

impl Finder {
    fn module(&mut self, module: Module<'_>) {
        let mut places = Places::new();
        for (at, data) in &module.segments {
            let left = MOST_DATA.saturating_sub(self.data);
            self.more |= data.len() > left;
            let data = &data[..data.len().min(left)];
            self.data += data.len();
            self.pairs_in_data(*at, data, &module, &mut places);
            self.templates(data);
        }
        for body in &module.bodies {
            self.pairs_in_code(body, &module, &mut places);
        }
        for (at, lengths) in places {
            if let Some(data) = module.at(at) {
                self.text(data, &lengths);
            }
        }
    }

    fn pairs_in_data(&mut self, at: u32, data: &[u8], module: &Module<'_>, places: &mut Places) {
        // pointers are aligned in memory, not in the segment
        let first = (at.wrapping_neg() % 4) as usize;
        let words = data.get(first..).unwrap_or_default().chunks_exact(4);
        let mut before = None;
        for word in words {
            let word = word.try_into().map_or(0, u32::from_le_bytes);
            if let Some(before) = before {
                self.pair((before, word), true, module, places);
            }
            before = Some(word);
        }
    }

    fn pairs_in_code(&mut self, body: &FunctionBody<'_>, module: &Module<'_>, places: &mut Places) {
        let Ok(operators) = body.get_operators_reader() else {
            return;
        };
        let mut near: VecDeque<u32> = VecDeque::with_capacity(NEAR + 1);
        for operator in operators.into_iter().flatten() {
            let Operator::I32Const { value } = operator else {
                continue;
            };
            if self.constants == MOST_CONSTANTS {
                self.more = true;
                return;
            }
            self.constants += 1;
            let value = value.cast_unsigned();
            for other in &near {
                self.pair((value, *other), false, module, places);
                self.pair((*other, value), false, module, places);
            }
            near.push_back(value);
            if near.len() > NEAR {
                near.pop_front();
            }
        }
    }

    fn pair(
        &mut self,
        (at, length): (u32, u32),
        certain: bool,
        module: &Module<'_>,
        places: &mut Places,
    ) {
        let length = length as usize;
        if !(SHORTEST..=LONGEST).contains(&length) {
            return;
        }
        let Some(data) = module.at(at).filter(|data| data.len() >= length) else {
            return;
        };
        if word(&data[..length]).is_none() {
            return;
        }
        if places.len() == MOST_PLACES && !places.contains_key(&at) {
            self.more = true;
            return;
        }
        let lengths = places.entry(at).or_default();
        if lengths.len() < MOST_LENGTHS || lengths.contains_key(&length) {
            *lengths.entry(length).or_default() |= certain;
        }
    }

    /// The longest text that is a statement, or a piece of one whose length is not in doubt.
    fn text(&mut self, data: &[u8], lengths: &BTreeMap<usize, bool>) {
        self.looked_at += lengths.keys().sum::<usize>();
        if self.looked_at > MOST_LOOKED_AT {
            self.more = true;
            return;
        }
        let text = |length: usize| std::str::from_utf8(data.get(..length)?).ok();
        let mut longest_first = lengths.keys().rev().filter_map(|length| text(*length));
        if let Some(whole) = longest_first.find(|text| self.parses(text)) {
            return self.keep(whole, Form::Whole);
        }
        let only = lengths.len() == 1;
        let sure = lengths.iter().filter(|(_, certain)| only || **certain);
        let mut sure = sure.filter_map(|(length, _)| text(*length));
        if let Some(piece) = sure.find(|text| is_piece(text)) {
            self.keep(piece, Form::Piece);
        }
    }

    /// What `format!` puts together.
    fn templates(&mut self, data: &[u8]) {
        for at in 0..data.len() {
            if literal(data, at).and_then(word).is_none() {
                continue;
            }
            if self.looked_at > MOST_LOOKED_AT {
                self.more = true;
                return;
            }
            let (template, looked_at) = template(&data[at..]);
            self.looked_at += looked_at;
            let with_gaps = template.filter(|sql| sql.len() > SHORTEST && sql.contains(GAP));
            if let Some(sql) = with_gaps
                && (is_piece(&sql) || self.parses(&sql.replace(GAP, "x")))
            {
                self.keep(&sql, Form::Gaps);
            }
        }
    }

    fn parses(&mut self, text: &str) -> bool {
        if self.parsed + text.len() > MOST_PARSED {
            self.more = true;
            return false;
        }
        self.parsed += text.len();
        statement::parses(text)
    }

    fn keep(&mut self, sql: &str, form: Form) {
        if self.found.len() == MOST {
            self.more = true;
            return;
        }
        let sql = sql.trim().to_owned();
        self.found.insert(Text { sql, form });
    }

    fn finish(self) -> Texts {
        Texts {
            found: self.found.into_iter().collect(),
            more: self.more,
        }
    }
}

#[cfg(test)]
mod tests;
