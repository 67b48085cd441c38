//! Two texts line by line: what is in one and not in the other.

/// How many equal lines are shown around one that differs.
const CONTEXT: usize = 3;

/// The largest table in which the longest common part is looked for; past it all of the middle counts as changed.
const MOST_CELLS: usize = 4_000_000;

/// The most lines of a difference; a text that was replaced as a whole need not be shown to its end.
const MOST_LINES: usize = 400;

/// A line of both texts, one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line<'a> {
    Same(&'a str),
    Gone(&'a str),
    New(&'a str),
}

/// The difference as `diff -u` shows it, without the names of files; empty where the texts are equal.
pub fn unified(old: &str, new: &str) -> String {
    let lines = compared(
        &old.lines().collect::<Vec<_>>(),
        &new.lines().collect::<Vec<_>>(),
    );
    let mut shown = Vec::new();
    for (start, end) in hunks(&lines) {
        let (before, within) = (&lines[..start], &lines[start..end]);
        shown.push(format!(
            "@@ -{} +{} @@",
            place(before, within, |line| !matches!(line, Line::New(_))),
            place(before, within, |line| !matches!(line, Line::Gone(_))),
        ));
        shown.extend(within.iter().map(|line| match line {
            Line::Same(text) => format!(" {text}"),
            Line::Gone(text) => format!("-{text}"),
            Line::New(text) => format!("+{text}"),
        }));
    }
    if let Some(more) = shown.len().checked_sub(MOST_LINES + 1) {
        shown.truncate(MOST_LINES);
        shown.push(format!("... and {} more lines", more + 1));
    }
    shown.join("\n")
}

/// The line number at which a hunk begins in one of the texts, and how many lines of it there are.
fn place(before: &[Line<'_>], within: &[Line<'_>], counts: impl Fn(&Line<'_>) -> bool) -> String {
    let count = |lines: &[Line<'_>]| lines.iter().filter(|line| counts(line)).count();
    let lines = count(within);
    // an empty part lies behind the line before it
    let first = count(before) + usize::from(lines > 0);
    format!("{first},{lines}")
}

/// From where to where lines are shown.
fn hunks(lines: &[Line<'_>]) -> Vec<(usize, usize)> {
    let mut hunks: Vec<(usize, usize)> = Vec::new();
    let changed = lines
        .iter()
        .enumerate()
        .filter(|(_, line)| !matches!(line, Line::Same(_)));
    for (at, _) in changed {
        let (start, end) = (
            at.saturating_sub(CONTEXT),
            (at + 1 + CONTEXT).min(lines.len()),
        );
        match hunks.last_mut() {
            Some(last) if start <= last.1 => last.1 = end,
            _ => hunks.push((start, end)),
        }
    }
    hunks
}

fn compared<'a>(old: &[&'a str], new: &[&'a str]) -> Vec<Line<'a>> {
    let alike =
        |pairs: &mut dyn Iterator<Item = (&&str, &&str)>| pairs.take_while(|(a, b)| a == b).count();
    let head = alike(&mut old.iter().zip(new));
    let (old_rest, new_rest) = (&old[head..], &new[head..]);
    let tail = alike(&mut old_rest.iter().rev().zip(new_rest.iter().rev()));
    let (old_end, new_end) = (old_rest.len() - tail, new_rest.len() - tail);
    let mut lines: Vec<Line<'_>> = old[..head].iter().map(|line| Line::Same(line)).collect();
    lines.extend(middle(&old_rest[..old_end], &new_rest[..new_end]));
    lines.extend(old_rest[old_end..].iter().map(|line| Line::Same(line)));
    lines
}

/// By the longest common part, in the plain way.
fn middle<'a>(old: &[&'a str], new: &[&'a str]) -> Vec<Line<'a>> {
    let width = new.len() + 1;
    let mut longest = Vec::new();
    if (old.len() + 1).saturating_mul(width) <= MOST_CELLS {
        longest = vec![0u32; (old.len() + 1) * width];
        for (i, a) in old.iter().enumerate().rev() {
            for (j, b) in new.iter().enumerate().rev() {
                let below = longest[(i + 1) * width + j].max(longest[i * width + j + 1]);
                longest[i * width + j] = match a == b {
                    true => longest[(i + 1) * width + j + 1] + 1,
                    false => below,
                };
            }
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut lines = Vec::new();
    loop {
        let at = |i: usize, j: usize| longest.get(i * width + j).copied().unwrap_or(0);
        lines.push(match (old.get(i), new.get(j)) {
            (Some(a), Some(b)) if a == b && !longest.is_empty() => {
                (i, j) = (i + 1, j + 1);
                Line::Same(a)
            }
            (Some(a), b) if b.is_none() || at(i + 1, j) >= at(i, j + 1) => {
                i += 1;
                Line::Gone(a)
            }
            (_, Some(b)) => {
                j += 1;
                Line::New(b)
            }
            (_, None) => return lines,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn it_is_shown_as_diff_does() {
        assert_eq!(unified("a\nb", "a\nb\n"), "");
        assert_eq!(unified("", "a"), "@@ -0,0 +1,1 @@\n+a");
        let old: Vec<String> = (1..=20).map(|n| n.to_string()).collect();
        let mut new = old.clone();
        new[4] = "five".to_owned();
        new.insert(16, "more".to_owned());
        assert_eq!(
            unified(&old.join("\n"), &new.join("\n")),
            "@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n@@ -14,6 +14,7 @@\n 14\n 15\n 16\n+more\n 17\n 18\n 19"
        );
    }

    #[test]
    fn what_is_too_large_is_replaced_as_a_whole_and_cut() {
        let text = |word: &str| {
            (0..3000)
                .map(|n| format!("{word}{n}\nsame\n"))
                .collect::<String>()
        };
        let shown = unified(&text("a"), &text("b"));
        assert_eq!(shown.lines().count(), MOST_LINES + 1);
        assert!(shown.ends_with("... and 11600 more lines"), "{shown}");
    }

    proptest! {
        #[test]
        fn either_text_is_in_what_is_compared(old in "[abc\n]{0,30}", new in "[abc\n]{0,30}") {
            let (old, new): (Vec<_>, Vec<_>) = (old.lines().collect(), new.lines().collect());
            let lines = compared(&old, &new);
            let of = |which: fn(&Line<'_>) -> bool| lines.iter().filter(|line| which(line)).map(|line| match line {
                Line::Same(text) | Line::Gone(text) | Line::New(text) => *text,
            }).collect::<Vec<_>>();
            prop_assert_eq!(of(|line| !matches!(line, Line::New(_))), old);
            prop_assert_eq!(of(|line| !matches!(line, Line::Gone(_))), new);
        }
    }
}
