//! The reviewer's page about a component, and about what differs between two.

use super::page::{Line, Page, Value, list, ours, theirs};
use crate::component::{Form, Text, Texts};
use crate::migration::Phase;
use crate::review::{
    Also, Answer, Change, Difference, Found, Granted, Line as Told, Reached, Review, Side,
};

/// The page for a terminal.
pub fn review_text(review: &Review) -> String {
    page(review).text()
}

/// The page as Markdown, for a pull request.
pub fn review_markdown(review: &Review) -> String {
    page(review).markdown()
}

/// What differs, for a terminal.
pub fn difference_text(difference: &Difference) -> String {
    difference_page(difference).text()
}

/// What differs as Markdown, for a pull request.
pub fn difference_markdown(difference: &Difference) -> String {
    difference_page(difference).markdown()
}

fn page(review: &Review) -> Page {
    let manifest = &review.manifest;
    let title = format!("{} {}", manifest.version, manifest.name);
    let mut page = Page::new(ours("migration ").theirs(title));
    page.section("component", "", head(review));
    page.section(
        "in short",
        "what its imports and its grants come to",
        review.answers.iter().map(answer),
    );
    page.section(
        "imports in words",
        "what it could do if it were granted; what it does not import it cannot do",
        review.powers.iter().map(|power| {
            let can = ours(if power.can { "yes" } else { "no" });
            let by = match power.by.is_empty() {
                true => can,
                false => can.ours(format!(", by {}", power.by.join(", "))),
            };
            Line::new(ours(format!("can {}", power.what)), by)
        }),
    );
    for (phase, heading) in [
        (Phase::Up, "grants of up"),
        (Phase::Down, "grants of down"),
        (Phase::Verify, "grants of verify"),
    ] {
        let of_phase = review.grants.iter().filter(|one| one.phase == phase);
        page.section(heading, "the most dangerous first", of_phase.map(grant));
    }
    page.section(
        "objects",
        "all that is granted on each, where it has an effect",
        review.objects.iter().map(|object| {
            let phases = object.phases.iter().map(|(phase, grants)| {
                Line::new(ours(phase.to_string()), list(grants.iter().cloned()))
            });
            Line::new(theirs(&object.name), Value::default()).under(phases)
        }),
    );
    page.section(
        "reached in the database",
        "what else reads and writes of these tables touch and set off there",
        review.reached.iter().flatten().map(reached),
    );
    page.section(
        "settings",
        "what the operator chooses",
        manifest.settings.iter().map(|(name, setting)| {
            let values = list(setting.values.iter().map(|value| told(value)));
            let value = values.ours("; by default ").theirs(told(&setting.default));
            Line::new(theirs(name.as_str()), value)
        }),
    );
    page.section(
        "limits",
        "what it may use up",
        review.limits.iter().map(|limit| {
            let value = ours(&limit.value);
            let value = match limit.value == limit.default {
                true => value,
                false => value.ours(format!(" (changed; by default {})", limit.default)),
            };
            Line::new(ours(limit.key), value)
        }),
    );
    page.section(
        "SQL in its data",
        "a hint: it can put together other SQL as it runs, and the grants are what binds",
        texts(&review.texts),
    );
    page
}

fn reached(reached: &Reached) -> Line {
    let label = ours(format!("{}: ", reached.phase)).theirs(&reached.grant);
    let (needs, never) = match &reached.found {
        Found::Missing => return Line::new(label, ours("there is no such table, or none yet")),
        Found::Unknown { why } => {
            return Line::new(label, ours("the server would not say: ").theirs(why));
        }
        Found::Told { needs, never } if needs.is_empty() && never.is_empty() => {
            return Line::new(label, ours("nothing else"));
        }
        Found::Told { needs, never } => (needs, never),
    };
    let also = |also: &Also| {
        let through = match &also.through {
            Some(way) => ours("through ").theirs(way),
            None => Value::default(),
        };
        let value = match also.granted {
            true => through,
            false => through.ours(" (not granted, so it is refused)"),
        };
        Line::new(theirs(&also.need), value)
    };
    let never = never.iter();
    Line::new(label, Value::default())
        .under(needs.iter().map(also))
        .under(never.map(|what| Line::new(ours("never"), theirs(what))))
}

fn texts(texts: &Texts) -> Vec<Line> {
    let line = |text: &Text| {
        let form = match text.form {
            Form::Whole => "whole",
            Form::Gaps => "with gaps",
            Form::Piece => "a piece",
        };
        Line::new(ours(form), theirs(&text.sql))
    };
    let mut lines: Vec<_> = texts.found.iter().map(line).collect();
    let note = match (texts.more, lines.is_empty()) {
        (true, _) => "there is more than is looked at",
        (false, true) => "none was found",
        (false, false) => return lines,
    };
    lines.push(Line::new(ours("note"), ours(note)));
    lines
}

fn head(review: &Review) -> Vec<Line> {
    let manifest = &review.manifest;
    let words = |items: Vec<String>| list(items);
    let description = Some(&manifest.description).filter(|text| !text.is_empty());
    let interface = match &review.interface {
        Some(version) => theirs(version),
        None => ours("none: it imports nothing"),
    };
    let interfaces = review.interfaces().into_iter().map(str::to_owned).collect();
    let modes = manifest.modes.iter().map(ToString::to_string).collect();
    let after = manifest.after.iter().map(ToString::to_string).collect();
    vec![
        Line::new(ours("description"), list(description.cloned())),
        Line::new(ours("file"), theirs(&review.file)),
        Line::new(ours("digest"), ours(review.digest.to_string())),
        Line::new(ours("size"), ours(format!("{} bytes", review.size))),
        Line::new(ours("interface"), interface),
        Line::new(ours("imports"), words(interfaces)),
        Line::new(ours("exports"), words(review.exports.clone())),
        Line::new(ours("modes"), words(modes)),
        Line::new(ours("after"), words(after)),
    ]
}

fn answer(answer: &Answer) -> Line {
    let told = |told: &Told| Line::new(theirs(&told.about), list(told.what.iter().cloned()));
    let notes = answer.notes.iter();
    let idle = answer.idle.iter().map(|idle| {
        let what = list(idle.what.iter().cloned());
        Line::new(ours("without effect in ").theirs(&idle.about), what)
    });
    Line::new(ours(answer.question), ours(answer.answer))
        .under(answer.lines.iter().map(told))
        .under(notes.map(|note| Line::new(ours("note"), ours(*note))))
        .under(idle)
}

fn grant(granted: &Granted) -> Line {
    let help = ours(granted.help);
    let help = match granted.idle {
        Some(why) => help.ours(format!("; without effect: {why}")),
        None => help,
    };
    Line::new(theirs(granted.grant.to_string()), help)
}

fn difference_page(difference: &Difference) -> Page {
    let Difference { old, new, .. } = difference;
    let mut page = Page::new(ours(match difference.may_do_the_same {
        true => "no difference in what it may do",
        false => "what it may do differs",
    }));
    let side = |label, side: &Side| {
        let what = theirs(&side.file).ours(format!(", {} bytes, {}", side.size, side.digest));
        Line::new(ours(label), what)
    };
    page.section("components", "", [side("old", old), side("new", new)]);
    for Change {
        part,
        added,
        removed,
    } in &difference.changes
    {
        let line = |label: &'static str| move |text: &String| Line::new(ours(label), theirs(text));
        let added = added.iter().map(line("added"));
        let removed = removed.iter().map(line("removed"));
        page.section(part, "", added.chain(removed));
    }
    page
}

/// A value of a setting, in quotes where it could be taken for more than one word of the page.
fn told(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    match value.chars().all(plain) {
        true => value.to_owned(),
        false => format!("{value:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::review::sample;

    fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    #[track_caller]
    fn has(text: &str, lines: &[&str]) {
        for line in lines {
            assert!(text.contains(line), "{line}\n--\n{text}");
        }
    }

    #[test]
    fn a_person_reads_everything_and_nothing_steers_the_terminal() {
        let mut review = sample(
            &["log", "execute"],
            "[settings.x]\nvalues = ['p', 'q']\ndefault = 'q'\n\
             [grants]\nup = ['insert public.a', 'delete public.a']\nverify = ['delete public.b']\n[limits]\nrows = 5\n",
        );
        review.exports.push("evil\x1b[2J".to_owned());
        let text = plain(&review_text(&review));
        has(
            &text,
            &[
                "migration 7 a-b\n",
                "\n  description  -\n",
                "\n  size         12 bytes\n",
                "exports      up, down, verify, evil\\u{1b}[2J\n",
                "Can it delete rows or columns?",
                "\n      up                        delete public.a\n",
                "\n      without effect in verify  delete public.b: verify only reads\n",
                "can get rows of a query                                  no\n",
                "can write rows                                           yes, by execute\n",
                "\n  delete public.a  delete rows of the table\n  insert public.a  insert rows into the table\n",
                "\n  x  p, q; by default q\n",
                "rows            5 (changed; by default 100000000)",
                "\n  public.a\n      up  delete, insert\n",
            ],
        );
        assert!(!text.contains("grants of down"), "{text}");
    }

    #[test]
    fn a_program_gets_what_it_got_and_more() {
        let review = sample(
            &["log"],
            "[settings.x]\nvalues = ['p', 'q']\ndefault = 'q'\n\
             [grants]\nup = ['read public.a', 'read public.b']\n[limits]\nrows = 5\n",
        );
        let json = serde_json::to_value(&review).unwrap();
        assert_eq!(json["manifest"]["version"], "7");
        assert_eq!(json["manifest"]["settings"]["x"]["default"], "q");
        assert_eq!(json["manifest"]["grants"]["up"][1], "read public.b");
        assert_eq!(json["manifest"]["limits"]["rows"], "5");
        assert_eq!(json["interface"], "0.1.0");
        assert_eq!(json["imports"][0], "wasmigrate:migration/log@0.1.0");
        assert_eq!(json["size"], 12);
        assert_eq!(json["answers"][0]["answer"], "no");
        assert_eq!(
            json["grants"][0]["idle"],
            "it imports nothing that could use it"
        );
    }

    #[test]
    fn what_a_component_says_is_no_markup() {
        let review = sample(
            &["log"],
            "description = '<img src=x> [a](http://b) `c` | d'\nphi = ['**x**']\n",
        );
        let text = review_markdown(&review);
        has(
            &text,
            &[
                "## migration `7 a-b`\n",
                "- **description** ``<img src=x> [a](http://b) `c` | d``\n",
                "  - `**x**`: `not known`\n",
                "- **May it change anything, and where?** no\n",
            ],
        );
    }

    #[test]
    fn a_difference_is_told_in_a_line_each() {
        let old = sample(&["execute"], "[grants]\nup = ['read public.a']\n");
        let new = sample(
            &["execute"],
            "[grants]\nup = ['delete public.a', 'insert public.a']\n",
        );
        let difference = Difference::between(&old, &new);
        has(
            &plain(&difference_text(&difference)),
            &[
                "what it may do differs\n",
                "\ngrants of up\n  added    delete public.a\n  added    insert public.a\n  removed  read public.a",
            ],
        );
        let same = Difference::between(&old, &old);
        assert!(difference_markdown(&same).starts_with("## no difference in what it may do\n"));
    }
}
