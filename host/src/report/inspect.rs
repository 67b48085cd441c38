//! What a reviewer reads about a component.

use std::fmt::Write as _;

use serde::Serialize;

use crate::component::Component;
use crate::guard::grants::Grants;
use crate::limits::Limits;
use crate::migration::{Digest, Phase};
use crate::report::{bold, escape};

/// A component as it was found.
#[derive(Debug)]
pub struct Inspection<'a> {
    /// The file, as the user named it.
    pub file: &'a str,
    /// The SHA-256 of the file.
    pub digest: Digest,
    /// The file's size in bytes.
    pub size: usize,
    /// What the component says.
    pub component: &'a Component,
}

/// The inspection as JSON.
#[derive(Debug, Serialize)]
pub struct InspectionJson<'a> {
    file: &'a str,
    digest: Digest,
    size: usize,
    interface: Option<&'a str>,
    imports: &'a [String],
    exports: &'a [String],
    manifest: &'a crate::manifest::Manifest,
}

/// The inspection for a program.
pub fn inspection_json<'a>(inspection: &Inspection<'a>) -> InspectionJson<'a> {
    let component = inspection.component;
    InspectionJson {
        file: inspection.file,
        digest: inspection.digest,
        size: inspection.size,
        interface: component.interface.as_deref(),
        imports: &component.imports,
        exports: &component.exports,
        manifest: &component.manifest,
    }
}

/// The inspection for a person.
pub fn inspection_text(inspection: &Inspection<'_>) -> String {
    let component = inspection.component;
    let manifest = &component.manifest;
    let mut page = Page::default();
    page.field(
        "migration",
        format!("{} {}", manifest.version, manifest.name),
    );
    page.field("description", &manifest.description);
    page.field("file", inspection.file);
    page.field("digest", inspection.digest);
    page.field("size", format!("{} bytes", inspection.size));
    page.field(
        "interface",
        component
            .interface
            .as_deref()
            .unwrap_or("none: it imports nothing"),
    );
    page.list(
        "imports",
        component.imports.iter().map(|name| describe(name)),
    );
    page.field("exports", component.exports.join(", "));
    page.field("modes", words(&manifest.modes));
    page.field("after", words(&manifest.after));
    page.list("phi", manifest.phi.iter().cloned());
    page.list(
        "settings",
        manifest.settings.iter().map(|(name, setting)| {
            format!(
                "{name} = {} (default {})",
                setting.values.join(" | "),
                setting.default
            )
        }),
    );
    for phase in Phase::ALL {
        page.list(
            &format!("grants of {phase}"),
            allowed(manifest.grants.of(*phase)),
        );
    }
    page.list("limits", limits(&manifest.limits));
    page.0
}

/// Each grant, the first of a kind with what such a line lets the migration do.
fn allowed(grants: &Grants) -> impl Iterator<Item = String> {
    let mut last = None;
    grants.iter().map(move |grant| {
        let is_first = last.replace(grant.kind) != Some(grant.kind);
        match is_first {
            true => format!("{grant}  {}", grant.kind.help()),
            false => grant.to_string(),
        }
    })
}

/// Each limit, marked where the author changed it.
fn limits(limits: &Limits) -> impl Iterator<Item = String> {
    limits
        .shown()
        .into_iter()
        .zip(Limits::default().shown())
        .map(|((key, value), (_, default))| match value == default {
            true => format!("{key} {value}"),
            false => format!("{key} {value} (default {default})"),
        })
}

/// An import with what it lets a migration do.
fn describe(import: &str) -> String {
    let interface = import
        .rsplit_once('/')
        .map_or(import, |(_, rest)| rest.split('@').next().unwrap_or(rest));
    let what = match interface {
        "types" => "data types only",
        "query" => "reads rows, or changes them by a statement that returns rows",
        "execute" => "changes the database by statement",
        "bulk" => "writes rows by COPY",
        "checks" => "asks and requires, read-only",
        "remember" => "keeps notes from up to down",
        "log" => "tells the operator something",
        "progress" => "tells how far it is",
        "settings" => "reads the operator's choices",
        "diag" => "reports a panic",
        _ => return import.to_owned(),
    };
    format!("{import}  {what}")
}

fn words(items: &[impl ToString]) -> String {
    items
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}

#[derive(Default)]
struct Page(String);

impl Page {
    fn line(&mut self, label: &str, value: &str) {
        let newline = if self.0.is_empty() { "" } else { "\n" };
        let style = bold();
        let _ = write!(
            self.0,
            "{newline}{style}{label:<16}{style:#} {}",
            escape(value)
        );
    }

    fn field(&mut self, label: &str, value: impl ToString) {
        let value = value.to_string();
        self.line(label, if value.is_empty() { "-" } else { &value });
    }

    fn list(&mut self, label: &str, values: impl IntoIterator<Item = String>) {
        let mut values = values.into_iter();
        self.field(label, values.next().unwrap_or_default());
        for value in values {
            self.line("", &value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::Manifest;

    fn component() -> Component {
        let manifest = "version = \"7\"\nname = \"a-b\"\n[settings.x]\nvalues = [\"p\", \"q\"]\ndefault = \"q\"\n\
                        [grants]\nup = [\"create view public.v\", \"read public.a\", \"read public.b\"]\n[limits]\nrows = 5\n";
        Component {
            imports: vec!["wasmigrate:migration/log@0.1.0".to_owned()],
            exports: ["up", "down", "verify", "evil\x1b[2J"]
                .map(str::to_owned)
                .to_vec(),
            interface: Some("0.1.0".to_owned()),
            manifest: Manifest::parse("m", manifest).unwrap(),
        }
    }

    #[test]
    fn a_person_reads_everything_and_nothing_steers_the_terminal() {
        let component = component();
        let inspection = Inspection {
            file: "a.wasm",
            digest: Digest::of(b""),
            size: 12,
            component: &component,
        };
        let text = anstream::adapter::strip_str(&inspection_text(&inspection)).to_string();
        for line in [
            "migration        7 a-b",
            "description      -",
            "size             12 bytes",
            "imports          wasmigrate:migration/log@0.1.0  tells the operator something",
            "exports          up, down, verify, evil\\u{1b}[2J",
            "modes            transactional",
            "settings         x = p | q (default q)",
            "grants of up     read public.a  read the table, in all or in the listed columns\n                 read public.b\n",
            "                 create view public.v  create or replace the view\n",
            "grants of verify -",
            "limits           memory 256MiB",
            "                 rows 5 (default 100000000)",
        ] {
            assert!(text.contains(line), "{line}\n--\n{text}");
        }
    }

    #[test]
    fn a_program_gets_the_same() {
        let component = component();
        let inspection = Inspection {
            file: "a.wasm",
            digest: Digest::of(b""),
            size: 12,
            component: &component,
        };
        let json = serde_json::to_value(inspection_json(&inspection)).unwrap();
        assert_eq!(json["manifest"]["version"], "7");
        assert_eq!(json["manifest"]["settings"]["x"]["default"], "q");
        assert_eq!(json["manifest"]["grants"]["up"][1], "read public.b");
        assert_eq!(json["manifest"]["limits"]["rows"], "5");
        assert_eq!(json["interface"], "0.1.0");
        assert_eq!(json["size"], 12);
    }
}
