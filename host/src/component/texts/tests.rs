use super::*;
use crate::component::samples;
use wasm_encoder::{
    CodeSection, ConstExpr, DataSection, Function, FunctionSection, MemorySection, MemoryType,
    TypeSection,
};

const AT: i32 = 1024;

/// A component with this data at 1024, and a function with these constants.
fn component(data: &[u8], constants: &[i32]) -> Vec<u8> {
    let mut types = TypeSection::new();
    types.ty().function([], []);
    let mut functions = FunctionSection::new();
    functions.function(0);
    let mut memories = MemorySection::new();
    memories.memory(MemoryType {
        minimum: 1000,
        maximum: None,
        memory64: false,
        shared: false,
        page_size_log2: None,
    });
    let mut body = Function::new([]);
    let mut code = CodeSection::new();
    let mut steps = body.instructions();
    for value in constants {
        steps.i32_const(*value).drop();
    }
    steps.end();
    code.function(&body);
    let mut all = DataSection::new();
    all.active(0, &ConstExpr::i32_const(AT), data.iter().copied());
    let mut module = wasm_encoder::Module::new();
    module
        .section(&types)
        .section(&functions)
        .section(&memories);
    module.section(&code).section(&all);
    samples::holding(&module)
}

fn found(data: &[u8], constants: &[i32]) -> Vec<(String, Form)> {
    let bytes = component(data, constants);
    crate::component::validate("x", &bytes).unwrap();
    let texts = texts(&bytes);
    assert!(!texts.more);
    texts
        .found
        .into_iter()
        .map(|text| (text.sql, text.form))
        .collect()
}

#[test]
fn a_text_is_found_by_its_pointer_and_its_length() {
    let sql = "SELECT id FROM public.a";
    let data = format!("{sql} WHERE x nothing more is this");
    let length = sql.len() as i32;
    let whole = vec![(sql.to_owned(), Form::Whole)];
    assert_eq!(found(data.as_bytes(), &[AT, 3, length]), whole);
    assert_eq!(found(data.as_bytes(), &[length, AT]), whole);
    assert_eq!(found(data.as_bytes(), &[]), []);
    let mut with_words = vec![0; 8];
    with_words[..4].copy_from_slice(&(AT + 8).to_le_bytes());
    with_words[4..].copy_from_slice(&length.to_le_bytes());
    with_words.extend(data.bytes());
    assert_eq!(found(&with_words, &[]), whole);
    // a piece is shown if its length is not in doubt
    let data_of = |length: i32| {
        [
            &(AT + 8).to_le_bytes()[..],
            &length.to_le_bytes(),
            b"DELETE FROM x WHERE (",
        ]
        .concat()
    };
    let piece = |text: &str| vec![(text.to_owned(), Form::Piece)];
    assert_eq!(
        found(&data_of(21), &[AT + 8, 0, 9]),
        piece("DELETE FROM x WHERE (")
    );
    assert_eq!(
        found(&data_of(0), &[AT + 8, 0, 21]),
        piece("DELETE FROM x WHERE (")
    );
    assert_eq!(found(&data_of(0), &[AT + 8, 19, 21]), []);
    // of two lengths the longer that is a statement
    let longer = length + " WHERE x".len() as i32;
    let text = (format!("{sql} WHERE x"), Form::Whole);
    assert_eq!(
        found(data.as_bytes(), &[AT, length, longer, longer + 9]),
        [text]
    );
}

#[test]
fn what_is_no_statement_is_a_piece_and_what_is_no_sql_is_not_there() {
    for (text, shown) in [
        ("INSERT INTO public.a (", Some(Form::Piece)),
        ("\n  delete from public.a", Some(Form::Whole)),
        ("update of the log failed", None),
        ("SELECTED ONE BY ONE", None),
        ("the text SELECT 1", None),
        ("SELECT \u{1b}[2J FROM", None),
        ("DROP    ", None),
    ] {
        let found = found(text.as_bytes(), &[AT, text.len() as i32]);
        let expected = shown.map(|form| (text.trim().to_owned(), form));
        assert_eq!(found, expected.into_iter().collect::<Vec<_>>(), "{text:?}");
    }
}

#[test]
fn what_is_put_together_has_gaps() {
    let template = |parts: &[&[u8]]| found(&parts.concat(), &[]);
    let gaps = |text: &str| vec![(text.to_owned(), Form::Gaps)];
    assert_eq!(
        template(&[b"\x0bSELECT log.", b"\xc0", b"\x06 FROM ", b"\xc0", b"\0"]),
        gaps("SELECT log.… FROM …")
    );
    assert_eq!(template(&[b"\x0bSELECT log.", b"\0"]), []);
    assert_eq!(
        template(&[b"\x07update ", b"\xc0", b"\x07 failed", b"\0"]),
        []
    );
    assert_eq!(
        template(&[b"\x0cdelete from ", b"\xc0", b"\0"]),
        gaps("delete from …")
    );
}

#[test]
fn whatever_the_bytes_the_work_and_what_is_kept_are_bounded() {
    // each place begins a text, and a template that reaches to the end
    let texts_of = |data: &[u8], constants: &[i32]| texts(&component(data, constants));
    let places = b"SELECT ( ".repeat(10_000);
    let constants: Vec<i32> = (0..3_000).flat_map(|n| [AT + 9 * n, 60_000 - n]).collect();
    let all = texts_of(&places, &constants);
    assert!(all.more && all.found.len() <= MOST);
    assert!(all.found.iter().all(|text| text.sql.len() <= LONGEST));
    let templates = b"\x0cSELECT a, b \xc0".repeat(60_000);
    assert!(texts_of(&templates, &[]).found.is_empty());
    let ended = [&templates[..], b"\0"].concat();
    assert!(texts_of(&ended, &[]).found.len() <= MOST);
    assert_eq!(
        texts_of(b"SELECT 1", &[AT, -1, i32::MAX, i32::MIN]).found,
        []
    );
}
