//! The steps, and how their arguments are read.

use wasmigrate_sdk::prelude::*;
use wasmigrate_sdk::{Error, Value};

/// One thing to do.
pub struct Step {
    /// Its number, which the answers repeat.
    pub number: i64,
    /// What to do.
    pub verb: String,
    /// With what.
    pub args: Args,
}

/// The arguments of a step; None is NULL.
pub struct Args(Vec<Option<String>>);

impl Args {
    /// A text that must be there.
    pub fn text(&self, place: usize) -> Result<&str> {
        self.optional(place)
            .ok_or_else(|| Error::new(format!("argument {place} is missing")))
    }

    /// A text that may be NULL or missing.
    pub fn optional(&self, place: usize) -> Option<&str> {
        self.0.get(place)?.as_deref()
    }

    /// A text that lives as long as the names of the SDK do.
    pub fn name(&self, place: usize) -> Result<&'static str> {
        Ok(String::leak(self.text(place)?.to_owned()))
    }

    /// A schema and a name in two arguments.
    pub fn table(&self, place: usize) -> Result<Table> {
        Ok(Table::new(self.name(place)?, self.name(place + 1)?))
    }

    /// Names with commas between them.
    pub fn names(&self, place: usize) -> Vec<&'static str> {
        let list = self.optional(place).unwrap_or_default();
        let names = list.split(',').filter(|name| !name.is_empty());
        names.map(|name| &*String::leak(name.to_owned())).collect()
    }

    /// The arguments from a place on.
    pub fn rest(&self, place: usize) -> &[Option<String>] {
        self.0.get(place..).unwrap_or_default()
    }

    /// The arguments from a place on as parameters: `i:5`, `f:1.5`, `b:true`, `x:00ff`, else text.
    pub fn params(&self, place: usize) -> Result<Vec<Value>> {
        self.rest(place)
            .iter()
            .map(|arg| value(arg.as_deref()))
            .collect()
    }
}

fn value(text: Option<&str>) -> Result<Value> {
    let Some(text) = text else {
        return Ok(Value::Null);
    };
    Ok(match text.split_once(':') {
        Some(("i", number)) => Value::Int64(number.parse()?),
        Some(("f", number)) => Value::Float64(number.parse()?),
        Some(("b", word)) => Value::Boolean(word == "true"),
        Some(("t", text)) => Value::Text(text.to_owned()),
        // what SQL cannot hold: a text with a NUL in it
        Some(("nul", text)) => Value::Text(text.replace('~', "\0")),
        Some(("x", hex)) => Value::Bytes(bytes(hex)?),
        _ => Value::Text(text.to_owned()),
    })
}

/// Bytes from their hexadecimal digits.
pub fn bytes(hex: &str) -> Result<Vec<u8>> {
    (0..hex.len() / 2)
        .map(|place| {
            let digits = hex.get(place * 2..place * 2 + 2).unwrap_or_default();
            Ok(u8::from_str_radix(digits, 16)?)
        })
        .collect()
}

/// The steps of a phase, in order.
pub fn read(phase: &str) -> Result<Vec<Step>> {
    let sql = "SELECT s.step, s.verb, a.n IS NOT NULL, a.arg FROM public.probe_step AS s \
        LEFT JOIN LATERAL unnest(s.args) WITH ORDINALITY AS a(arg, n) ON true \
        WHERE s.phase = $1 ORDER BY s.step, a.n";
    let mut steps: Vec<Step> = Vec::new();
    for row in query(sql, params![phase])?.typed::<(i64, String, bool, Option<String>)>() {
        let (number, verb, has_arg, arg) = row?;
        if steps.last().is_none_or(|step| step.number != number) {
            let args = Args(Vec::new());
            steps.push(Step { number, verb, args });
        }
        if let (true, Some(step)) = (has_arg, steps.last_mut()) {
            step.args.0.push(arg);
        }
    }
    Ok(steps)
}
