//! A page of sections, as text for a terminal and as Markdown to paste. Our own words and those of a component are
//! kept apart until they are written, so that no text of a component can be taken for markup.

use std::fmt::Write as _;

use super::{bold, escape_whole};

/// A page.
#[derive(Debug, Default)]
pub(super) struct Page {
    title: Value,
    sections: Vec<Section>,
}

/// A part of a page under a heading.
#[derive(Debug)]
pub(super) struct Section {
    heading: &'static str,
    about: &'static str,
    lines: Vec<Line>,
}

/// A label and what is said of it, with further lines below it.
#[derive(Debug, Default)]
pub(super) struct Line {
    label: Value,
    value: Value,
    under: Vec<Line>,
}

/// Words of ours and of others in a row.
#[derive(Debug, Clone, Default)]
pub(super) struct Value(Vec<Word>);

#[derive(Debug, Clone)]
enum Word {
    Ours(String),
    Theirs(String),
}

/// The widest label that the values of a section are aligned to.
const WIDEST: usize = 58;

/// Our own words.
pub(super) fn ours(text: impl Into<String>) -> Value {
    Value::default().ours(text)
}

/// A text of somebody else's.
pub(super) fn theirs(text: impl Into<String>) -> Value {
    Value::default().theirs(text)
}

/// Texts of somebody else's with commas between them, or a dash.
pub(super) fn list(texts: impl IntoIterator<Item = String>) -> Value {
    texts.into_iter().fold(Value::default(), |value, text| {
        let value = if value.0.is_empty() {
            value
        } else {
            value.ours(", ")
        };
        value.theirs(text)
    })
}

impl Value {
    pub(super) fn ours(mut self, text: impl Into<String>) -> Self {
        self.0.push(Word::Ours(text.into()));
        self
    }

    pub(super) fn theirs(mut self, text: impl Into<String>) -> Self {
        self.0.push(Word::Theirs(text.into()));
        self
    }

    fn text(&self) -> String {
        let words = self.0.iter().map(|word| match word {
            Word::Ours(text) => text.clone(),
            Word::Theirs(text) => whole(text),
        });
        or_dash(words.collect())
    }

    fn markdown(&self) -> String {
        let words = self.0.iter().map(|word| match word {
            Word::Ours(text) => text.clone(),
            Word::Theirs(text) => code(text),
        });
        or_dash(words.collect())
    }
}

fn or_dash(text: String) -> String {
    if text.is_empty() {
        "-".to_owned()
    } else {
        text
    }
}

/// A text on a terminal, in quotes where blanks in it would look like the columns of the page.
fn whole(text: &str) -> String {
    let text = escape_whole(text);
    let pairs = text.chars().zip(text.chars().skip(1));
    let mut blanks = pairs.filter(|(a, b)| a.is_whitespace() && b.is_whitespace());
    match blanks.next() {
        Some(_) => format!("\"{text}\""),
        None => text,
    }
}

/// A text as a span of code, in which nothing is markup: it is on one line, and its fence is longer than any run of
/// backticks in it. Source: CommonMark, "Code spans".
fn code(text: &str) -> String {
    let text = escape_whole(text);
    if text.is_empty() {
        return String::new();
    }
    let runs = text.split(|c| c != '`').map(str::len);
    let fence = "`".repeat(runs.max().unwrap_or(0) + 1);
    // a blank at both ends is taken off again, and keeps the fence from the text's own backticks
    let pad = if text.starts_with(['`', ' ']) || text.ends_with(['`', ' ']) {
        " "
    } else {
        ""
    };
    format!("{fence}{pad}{text}{pad}{fence}")
}

impl Line {
    pub(super) fn new(label: Value, value: Value) -> Self {
        Line {
            label,
            value,
            under: Vec::new(),
        }
    }

    pub(super) fn under(mut self, lines: impl IntoIterator<Item = Line>) -> Self {
        self.under.extend(lines);
        self
    }
}

impl Page {
    pub(super) fn new(title: Value) -> Self {
        Page {
            title,
            sections: Vec::new(),
        }
    }

    /// Adds a section; one without lines says nothing, and is left out.
    pub(super) fn section(
        &mut self,
        heading: &'static str,
        about: &'static str,
        lines: impl IntoIterator<Item = Line>,
    ) {
        let lines: Vec<_> = lines.into_iter().collect();
        if !lines.is_empty() {
            self.sections.push(Section {
                heading,
                about,
                lines,
            });
        }
    }

    /// The page for a terminal.
    pub(super) fn text(&self) -> String {
        let style = bold();
        let mut text = format!("{style}{}{style:#}", self.title.text());
        for Section {
            heading,
            about,
            lines,
        } in &self.sections
        {
            let _ = write!(text, "\n\n{style}{heading}{style:#}");
            if !about.is_empty() {
                let _ = write!(text, "  ({about})");
            }
            write_lines(&mut text, lines, 2);
        }
        text
    }

    /// The page as Markdown.
    pub(super) fn markdown(&self) -> String {
        let mut text = format!("## {}\n", self.title.markdown());
        for Section {
            heading,
            about,
            lines,
        } in &self.sections
        {
            let _ = write!(text, "\n### {heading}\n\n");
            if !about.is_empty() {
                let _ = write!(text, "*{about}*\n\n");
            }
            write_items(&mut text, lines, 0);
        }
        text.trim_end().to_owned()
    }
}

fn write_lines(text: &mut String, lines: &[Line], indent: usize) {
    let labels: Vec<_> = lines.iter().map(|line| line.label.text()).collect();
    let widths = labels.iter().map(|label| label.chars().count());
    let width = widths.filter(|width| *width <= WIDEST).max().unwrap_or(0);
    for (label, line) in labels.iter().zip(lines) {
        let value = line.value.text();
        let _ = match line.value.0.is_empty() && !line.under.is_empty() {
            true => write!(text, "\n{:indent$}{label}", ""),
            false => write!(text, "\n{:indent$}{label:<width$}  {value}", ""),
        };
        write_lines(text, &line.under, indent + 4);
    }
}

fn write_items(text: &mut String, lines: &[Line], indent: usize) {
    for line in lines {
        let label = line.label.markdown();
        let label = if indent == 0 {
            format!("**{label}**")
        } else {
            format!("{label}:")
        };
        let _ = match line.value.0.is_empty() && !line.under.is_empty() {
            true => writeln!(text, "{:indent$}- {label}", ""),
            false => writeln!(text, "{:indent$}- {label} {}", "", line.value.markdown()),
        };
        write_items(text, &line.under, indent + 2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_span_of_code_is_markup() {
        for (text, shown) in [
            ("plain", "`plain`"),
            ("", ""),
            ("a | <b> [c](d) *e* @f #1", "`a | <b> [c](d) *e* @f #1`"),
            ("a`b", "``a`b``"),
            ("`", "`` ` ``"),
            ("``a```", "```` ``a``` ````"),
            (" a ", "`  a  `"),
            ("a\n\n# b", "`a\\n\\n# b`"),
            ("\u{202e}p\u{430}y", "`\\u{202e}p\\u{430}y`"),
        ] {
            assert_eq!(code(text), shown, "{text:?}");
        }
    }

    #[test]
    fn a_text_cannot_pass_for_columns() {
        assert_eq!(
            theirs("public.a(b)  not read").text(),
            "\"public.a(b)  not read\""
        );
        assert_eq!(theirs("a \u{a0}b").text(), "a \\u{a0}b");
        assert_eq!(theirs("a b c").text(), "a b c");
        assert_eq!(list(["a".to_owned(), "b".to_owned()]).text(), "a, b");
    }

    #[test]
    fn a_page_is_aligned_on_a_terminal_and_a_list_in_markdown() {
        let mut page = Page::new(ours("title ").theirs("<i>"));
        page.section("empty", "", []);
        let inner = Line::new(theirs("x\x1b"), list(["a".to_owned(), "b".to_owned()]));
        page.section(
            "part",
            "why",
            [
                Line::new(ours("long label"), ours("yes")).under([inner]),
                Line::new(ours("short"), Value::default()),
            ],
        );
        let text = anstream::adapter::strip_str(&page.text()).to_string();
        assert_eq!(
            text,
            "title <i>\n\npart  (why)\n  long label  yes\n      x\\u{1b}  a, b\n  short       -"
        );
        assert_eq!(
            page.markdown(),
            "## title `<i>`\n\n### part\n\n*why*\n\n- **long label** yes\n  - `x\\u{1b}`: `a`, `b`\n- **short** -"
        );
    }
}
