//! The reviewer's page: what `inspect` says of the four migrations, and of a component that tries to deceive.

use std::path::Path;

use crate::guests::file_of;
use crate::support::{Ended, VERSIONS, bare, root, white_cross};

fn inspect(args: &[&str], files: &[&Path]) -> Ended {
    let mut command = bare(&["inspect"]);
    Ended::of(command.args(args).args(files).output().unwrap()).ok()
}

/// The page as it was read and found right. `UPDATE_PAGES=1` writes it anew.
#[test]
fn the_page_of_each_migration_answers_what_a_reviewer_asks() {
    for version in VERSIONS {
        let file = file_of(white_cross(), version);
        let page = inspect(&[], &[&file]).stdout;
        // these differ with the folder and the compiler
        let changing = ["  file ", "  digest ", "  size "];
        let page: Vec<_> = page
            .lines()
            .filter(|line| !changing.iter().any(|start| line.starts_with(start)))
            .collect();
        let name = file.file_stem().unwrap().to_str().unwrap();
        let kept = root().join(format!("tests/e2e/pages/{name}.txt"));
        if std::env::var_os("UPDATE_PAGES").is_some() {
            std::fs::write(&kept, page.join("\n") + "\n").unwrap();
        }
        let expected = std::fs::read_to_string(&kept).unwrap();
        let expected: Vec<_> = expected.lines().collect();
        let differing = expected.iter().zip(&page).find(|(kept, is)| kept != is);
        assert!(
            expected == page,
            "the page of {name} is another than {}; first at {differing:?}, {} lines in place of {}:\n{}",
            kept.display(),
            page.len(),
            expected.len(),
            page.join("\n")
        );
    }
}
