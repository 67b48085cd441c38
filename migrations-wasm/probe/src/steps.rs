//! The steps but for checks and bulk writes: statements, rows, notes, settings.

use std::collections::BTreeMap;
use std::hint::black_box;

use wasmigrate_sdk::bindings::wasmigrate::migration::types::Relation;
use wasmigrate_sdk::bindings::wasmigrate::migration::{batches as raw_batches, query as raw};
use wasmigrate_sdk::prelude::*;
use wasmigrate_sdk::{Error, Step, Value, execute_all};

use crate::answers::Answers;
use crate::script::Args;

/// What is open between the steps.
#[derive(Default)]
pub struct Open {
    rows: BTreeMap<String, raw::Rows>,
    /// The bulk write.
    pub copy: Option<wasmigrate_sdk::bindings::wasmigrate::migration::bulk::CopyIn>,
}

impl Open {
    /// Does one step.
    pub fn step(&mut self, verb: &str, args: &Args, answers: &mut Answers) -> Result<()> {
        match verb {
            "execute" => answers.say(execute(args.text(0)?, &args.params(1)?)?),
            // so many times, with these parameters
            "repeat" => {
                let times: u32 = args.text(0)?.parse().unwrap_or_default();
                let params = args.params(2)?;
                let mut affected = 0;
                for _ in 0..times {
                    affected += execute(args.text(1)?, &params)?;
                }
                answers.say(affected);
            }
            // each argument is a statement, and its place its note
            "execute-all" => {
                let steps = (0..args.rest(0).len()).map(|place| {
                    let note = format!("step {place} is done");
                    Ok(Step::new(args.text(place)?).note(note))
                });
                for affected in execute_all(steps.collect::<Result<Vec<_>>>()?)? {
                    answers.say(affected);
                }
            }
            // a script cannot hold a NUL
            "execute-nul" => answers.say(execute(args.text(0)?.replace('~', "\0"), &[])?),
            "query" => {
                let rows = raw::query(args.text(0)?, &args.params(1)?)?;
                while let Some(batch) = rows.next()? {
                    answers.batch(&batch);
                }
            }
            // how many rows each batch has, and how many bytes in all
            "sizes" => {
                let rows = raw::query(args.text(0)?, &args.params(1)?)?;
                while let Some(batch) = rows.next()? {
                    answers.say(batch.length);
                }
            }
            "open" => {
                let rows = raw::query(args.text(1)?, &args.params(2)?)?;
                self.rows.insert(args.text(0)?.to_owned(), rows);
            }
            "next" => match self.open(args.text(0)?)?.next()? {
                Some(batch) => answers.batch(&batch),
                None => answers.say("end"),
            },
            "read-on" => {
                let mut lines = 0;
                while let Some(batch) = self.open(args.text(0)?)?.next()? {
                    lines += batch.length;
                }
                answers.say(lines);
            }
            "drop" => drop(self.rows.remove(args.text(0)?)),
            // a schema, a table, the key with commas between, the rows of a range, and a statement with a place for
            // the filter
            "batches" => {
                let pace = raw_batches::Pace {
                    table: Relation {
                        schema: args.text(0)?.to_owned(),
                        name: args.text(1)?.to_owned(),
                    },
                    key: args.text(2)?.split(',').map(str::to_owned).collect(),
                    size: args.text(3)?.parse().unwrap_or(1),
                    target_ms: 0,
                    pause_ms: 0,
                };
                let mut ranges = Vec::new();
                Batches::from(pace).each(|range| {
                    let sql = args.text(4)?.replace("{filter}", &range.filter("t", 1));
                    let affected = execute(sql, &range.params())?;
                    ranges.push(format!("{affected} of {}", range.rows()));
                    Ok(())
                })?;
                ranges.into_iter().for_each(|range| answers.say(range));
            }
            "many-parameters" => {
                let count: usize = args.text(0)?.parse()?;
                let places: Vec<_> = (1..=count).map(|n| format!("(${n}::text)")).collect();
                let sql = format!("SELECT count(v) FROM (VALUES {}) AS x(v)", places.join(","));
                let params = vec![Value::Text("x".into()); count];
                answers.say(query_scalar::<i64>(sql, &params)?);
            }
            "remember" => remember(args.text(0)?, args.text(1)?)?,
            "recall" => answers.say(format!("{:?}", recall(args.text(0)?)?)),
            "setting" => answers.say(setting(args.text(0)?)?),
            "log" => info!("{}", args.text(0)?),
            "progress" => progress(1, 2),
            "mode" => answers.say(format!("{:?}", mode())),
            "fail" => bail!("{}", args.text(0)?),
            // the text of the failure is made here: it may be larger than a script should hold
            "fail-huge" => bail!("{}", "x".repeat(args.text(0)?.parse()?)),
            "compute" => {
                let turns: u64 = args.text(0)?.parse()?;
                for turn in 0..turns {
                    black_box(turn);
                }
            }
            _ if verb.starts_with("copy") => self.bulk(verb, args, answers)?,
            _ => crate::checks::step(verb, args, answers)?,
        }
        Ok(())
    }

    fn open(&self, name: &str) -> Result<&raw::Rows> {
        self.rows
            .get(name)
            .ok_or_else(|| Error::new(format!("{name} is not open")))
    }
}
