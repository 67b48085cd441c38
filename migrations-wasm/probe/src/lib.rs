//! A guest for the tests of the host: it does what the table `probe_step` says and writes what came of it
//! into the table `probe_answer`. So one component serves many tests, and each test says what it tries.
//!
//! `public.probe_step (phase text, step int, verb text, args text[])` holds the steps of `up`, `down` and
//! `verify`; `public.probe_answer (step int, line int, place int, name text, type_name text, kind text,
//! value text)` receives the values. `verify` cannot write, so there the answers go to the log.

mod answers;
mod bulk;
mod checks;
mod script;
mod steps;

use wasmigrate_sdk::prelude::{Migration, Result, warn};

use answers::Answers;
use steps::Open;

struct Probe;

impl Migration for Probe {
    fn up() -> Result<()> {
        run("up")
    }

    fn down() -> Result<()> {
        run("down")
    }

    fn verify() -> Result<()> {
        run("verify")
    }
}

fn run(phase: &str) -> Result<()> {
    let mut answers = Answers::default();
    let mut open = Open::default();
    for step in script::read(phase)? {
        answers.begin(step.number);
        // `try VERB` goes on after a failure, as no migration should
        let (verb, go_on) = match step.verb.strip_prefix("try ") {
            Some(verb) => (verb, true),
            None => (step.verb.as_str(), false),
        };
        if let Err(error) = open.step(verb, &step.args, &mut answers) {
            let text: String = error.to_string().chars().take(1000).collect();
            warn!("step {} failed: {:?}: {text}", step.number, error.kind());
            if !go_on {
                return Err(error);
            }
        }
    }
    drop(open);
    answers.write(phase)
}

wasmigrate_sdk::export!(Probe);
