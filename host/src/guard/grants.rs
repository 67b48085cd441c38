//! What a migration may do: the lines of a manifest's `[grants]`, read, compared and shown.
//!
//! A grant is a [`Kind`] and a [`Subject`]. The table of kinds below is the vocabulary: a new kind
//! is a row there, and its subject one of the forms that `Form` lists. There is no wildcard, and
//! no line grants what no line names.
//!
//! The canonical form of a line, which `Display` writes, has single blanks, names quoted where
//! PostgreSQL quotes them, columns and actions sorted, and types as `format_type` names them.

pub mod line;
mod merge;
pub mod name;
pub mod need;
pub mod signature;

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;

use serde::{Serialize, Serializer};

use line::{Line, LineError, Result};
use name::{Ident, Name};
use signature::Signature;

pub use need::{Need, Object};

/// The most lines that a phase may have.
pub const MAX_LINES: usize = 1000;

/// How what follows the words of a kind is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Nothing follows.
    Nothing,
    /// `schema.name`.
    Name,
    /// `schema.name`, or `schema.name(column, ...)`.
    Columns,
    /// `schema.name: action, ...`.
    Actions,
    /// The name of a schema.
    Schema,
    /// `schema.function(type, ...)`.
    Function,
    /// `name in schema`.
    Extension,
    /// `schema.name sha256=...`; of a trigger or a policy the schema is its table's.
    Code,
}

macro_rules! kinds {
    ($($kind:ident $words:literal $form:ident $danger:literal $help:literal;)*) => {
        /// What a grant lets a migration do.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind {
            $(#[doc = $help] $kind,)*
        }

        impl Kind {
            /// Every kind, in the order of the table.
            pub const ALL: &[Kind] = &[$(Kind::$kind,)*];

            /// The words with which a line of this kind begins.
            pub fn words(self) -> &'static str {
                match self { $(Kind::$kind => $words,)* }
            }

            /// What a line of this kind allows, for a reviewer.
            pub fn help(self) -> &'static str {
                match self { $(Kind::$kind => $help,)* }
            }

            /// How much harm it can do; the greatest is shown first.
            pub fn danger(self) -> u8 {
                match self { $(Kind::$kind => $danger,)* }
            }

            fn form(self) -> Form {
                match self { $(Kind::$kind => Form::$form,)* }
            }
        }
    };
}

kinds! {
    CodeFunction "code function" Code 99 "create, replace or drop the function by exactly the statement of this digest";
    CodeTrigger "code trigger" Code 98 "create, replace or drop the trigger by exactly the statement of this digest";
    CodePolicy "code policy" Code 97 "create or drop the row security policy by exactly the statement of this digest";
    DropTable "drop table" Name 90 "drop the table with its rows";
    DropMatview "drop matview" Name 89 "drop the materialized view";
    DropSequence "drop sequence" Name 88 "drop the sequence";
    DropType "drop type" Name 87 "drop the type or domain";
    DropView "drop view" Name 86 "drop the view";
    Truncate "truncate" Name 85 "remove all rows of the table";
    Call "call" Function 84 "call the function, whatever its body does";
    Fires "fires" Function 83 "set off the trigger function, whatever its body does";
    Extension "extension" Extension 80 "create or drop the extension in that schema, and use its operators, operator classes, types and text-search objects";
    Alter "alter" Actions 75 "change the table's definition in the ways that are listed";
    Delete "delete" Name 70 "delete rows of the table";
    Update "update" Columns 65 "change rows of the table, in all or in the listed columns, or lock them";
    Insert "insert" Name 60 "insert rows into the table";
    Read "read" Columns 50 "read the table, in all or in the listed columns";
    Lock "lock" Name 45 "lock the table";
    Reference "reference" Name 40 "make foreign keys to the table";
    Index "index" Name 38 "create, rebuild and drop indexes of the table";
    EnumValue "enum-value" Name 36 "add or rename values of the enum type";
    CreateTable "create table" Name 34 "create the table";
    CreateView "create view" Name 33 "create or replace the view";
    CreateMatview "create matview" Name 32 "create the materialized view";
    CreateSequence "create sequence" Name 31 "create the sequence";
    CreateType "create type" Name 30 "create the type or domain";
    CreateSchema "create schema" Schema 29 "create the schema";
    UseSequence "use-sequence" Name 25 "draw and set values of the sequence";
    UseType "use-type" Name 20 "use the type";
    Refresh "refresh" Name 18 "fill the materialized view anew";
    Vacuum "vacuum" Name 16 "vacuum the table";
    Statistics "statistics" Name 14 "create and drop extended statistics of the table";
    Analyze "analyze" Name 12 "gather the table's statistics";
    Comment "comment" Name 10 "comment on the object or on a part of it";
    Catalog "catalog" Nothing 5 "read the catalog, by the host's checks";
}

macro_rules! actions {
    ($($action:ident $word:literal $help:literal;)*) => {
        /// A way to change a table's definition.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Action {
            $(#[doc = $help] $action,)*
        }

        impl Action {
            /// Every action, in the order in which a grant shows them.
            pub const ALL: &[Action] = &[$(Action::$action,)*];

            /// The word for it in a grant.
            pub fn word(self) -> &'static str {
                match self { $(Action::$action => $word,)* }
            }
        }
    };
}

actions! {
    AddColumn "add-column" "Adds a column.";
    AddConstraint "add-constraint" "Adds a constraint.";
    AttachPartition "attach-partition" "Attaches a partition, or is attached as one.";
    ColumnType "column-type" "Changes a column's type.";
    Default "default" "Changes a default, an identity or a generation expression.";
    DetachPartition "detach-partition" "Detaches a partition.";
    DropColumn "drop-column" "Drops a column.";
    DropConstraint "drop-constraint" "Drops a constraint.";
    Nullability "nullability" "Sets or drops NOT NULL.";
    Rename "rename" "Renames the table, a column or a constraint.";
    Storage "storage" "Changes storage, compression, statistics targets or storage parameters.";
    ValidateConstraint "validate-constraint" "Validates a constraint.";
}

/// What a grant is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// Nothing in particular.
    Nothing,
    /// An object in a schema.
    Name(Name),
    /// All columns of a table, or, where there are any, those.
    Columns(Name, BTreeSet<Ident>),
    /// A table and how it is changed.
    Actions(Name, BTreeSet<Action>),
    /// A schema.
    Schema(Ident),
    /// A function.
    Function(Signature),
    /// An extension and the schema of its objects.
    Extension(Ident, Ident),
    /// An object made of code, and the digest of the statement that makes it.
    Code(Name, String),
}

impl Subject {
    /// Whether a grant on this covers a need of that.
    pub fn allows(&self, need: &Subject) -> bool {
        match (self, need) {
            (Subject::Columns(table, have), Subject::Columns(other, need)) => {
                let all = have.is_empty() || (!need.is_empty() && need.is_subset(have));
                table == other && all
            }
            (Subject::Actions(table, have), Subject::Actions(other, need)) => {
                table == other && need.is_subset(have)
            }
            _ => self == need,
        }
    }

    /// The object in a schema that it is about.
    pub fn name(&self) -> Option<&Name> {
        match self {
            Subject::Name(name)
            | Subject::Columns(name, _)
            | Subject::Actions(name, _)
            | Subject::Code(name, ..) => Some(name),
            Subject::Function(signature) => Some(&signature.function),
            Subject::Nothing | Subject::Schema(_) | Subject::Extension(..) => None,
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Subject::Nothing => Ok(()),
            Subject::Name(name) => write!(f, " {name}"),
            Subject::Columns(name, columns) if columns.is_empty() => write!(f, " {name}"),
            Subject::Columns(name, columns) => write!(f, " {name}({})", joined(columns)),
            Subject::Actions(name, actions) => {
                write!(f, " {name}: {}", joined(actions.iter().map(|a| a.word())))
            }
            Subject::Schema(name) => write!(f, " {name}"),
            Subject::Function(signature) => write!(f, " {signature}"),
            Subject::Extension(name, schema) => write!(f, " {name} in {schema}"),
            Subject::Code(name, digest) => write!(f, " {name} sha256={digest}"),
        }
    }
}

fn joined<T: ToString>(parts: impl IntoIterator<Item = T>) -> String {
    let parts: Vec<String> = parts.into_iter().map(|part| part.to_string()).collect();
    parts.join(", ")
}

/// How dangerous it is to change a table's definition in ways that lose no value; no kind has this number.
const KEEPS_VALUES: u8 = 39;

/// A line of a manifest's `[grants]`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Grant {
    /// What it allows.
    pub kind: Kind,
    /// On what.
    pub subject: Subject,
}

impl Grant {
    /// A grant of a kind on an object.
    pub fn on(kind: Kind, name: Name) -> Self {
        let subject = match kind.form() {
            Form::Columns => Subject::Columns(name, BTreeSet::new()),
            _ => Subject::Name(name),
        };
        Grant { kind, subject }
    }

    /// The grant to be told what the catalog says.
    pub fn catalog() -> Self {
        Grant {
            kind: Kind::Catalog,
            subject: Subject::Nothing,
        }
    }

    /// The grant to change a table in one way.
    pub fn alter(table: Name, action: Action) -> Self {
        Grant {
            kind: Kind::Alter,
            subject: Subject::Actions(table, BTreeSet::from([action])),
        }
    }

    /// Reads a line.
    pub fn parse(text: &str) -> Result<Self> {
        let mut line = Line::new(text)?;
        let kind = kind(&mut line)?;
        let subject = subject(kind, &mut line)?;
        line.end()?;
        Ok(Grant { kind, subject })
    }

    /// How dangerous it is: more is worse. What changes a table is as bad as its kind where values are lost by it.
    pub fn danger(&self) -> u8 {
        let loses = |action: &Action| matches!(action, Action::DropColumn | Action::ColumnType);
        match &self.subject {
            Subject::Actions(_, actions) if !actions.iter().any(loses) => KEEPS_VALUES,
            _ => self.kind.danger(),
        }
    }

    /// Whether this grant covers a need of that one.
    pub fn allows(&self, need: &Grant) -> bool {
        self.kind == need.kind && self.subject.allows(&need.subject)
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.kind.words(), self.subject)
    }
}

/// The order in which grants are shown: the most dangerous first, then as they are written.
impl Ord for Grant {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (Reverse(self.danger()), &self.subject).cmp(&(Reverse(other.danger()), &other.subject))
    }
}

impl PartialOrd for Grant {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// The kind whose words begin the line, with the blank that follows them.
fn kind(line: &mut Line<'_>) -> Result<Kind> {
    let found = Kind::ALL.iter().copied().find(|kind| {
        let rest = line.rest().strip_prefix(kind.words());
        match kind.form() {
            Form::Nothing => rest == Some(""),
            _ => rest.is_some_and(|rest| rest.starts_with(' ')),
        }
    });
    let Some(kind) = found else {
        let start = line.at();
        let word = line.word();
        let message = match word {
            "" => "a grant begins with what it allows, as in `read public.t`".to_owned(),
            "create" | "drop" | "code" => format!("`{word}` what? one of: {}", kinds_of(word)),
            _ if Kind::ALL.iter().any(|kind| kind.words() == word) => {
                format!("`{word}` is written with one blank and what it is about")
            }
            _ => format!("there is no grant `{word}`; one of: {}", kinds_of("")),
        };
        return line.error(start, message);
    };
    line.take(kind.words());
    line.take(" ");
    Ok(kind)
}

fn kinds_of(word: &str) -> String {
    let kinds = Kind::ALL.iter().map(|kind| kind.words());
    joined(kinds.filter(|words| word.is_empty() || words.split(' ').next() == Some(word)))
}

fn subject(kind: Kind, line: &mut Line<'_>) -> Result<Subject> {
    Ok(match kind.form() {
        Form::Nothing => Subject::Nothing,
        Form::Name => Subject::Name(line.name()?),
        Form::Columns => {
            let name = line.name()?;
            match line.take("(") {
                true => Subject::Columns(name, columns(line)?),
                false => Subject::Columns(name, BTreeSet::new()),
            }
        }
        Form::Actions => Subject::Actions(line.name()?, actions(line)?),
        Form::Schema => schema(line).map(Subject::Schema)?,
        Form::Function => Subject::Function(Signature::read(line)?),
        Form::Extension => {
            let name = line.ident()?;
            line.expect(" in ", "the extension's name, then its schema")?;
            Subject::Extension(name, schema(line)?)
        }
        Form::Code => code(line)?,
    })
}

fn schema(line: &mut Line<'_>) -> Result<Ident> {
    let start = line.at();
    let schema = line.ident()?;
    match name::forbidden_schema(schema.as_str()) {
        Some(why) => line.error(start, why),
        None => Ok(schema),
    }
}

fn columns(line: &mut Line<'_>) -> Result<BTreeSet<Ident>> {
    let mut seen = BTreeSet::new();
    line.list("a column", |line| {
        let start = line.at();
        let column = line.ident()?;
        match seen.insert(column.clone()) {
            true => Ok(column),
            false => line.error(start, "the column is there twice"),
        }
    })?;
    Ok(seen)
}

fn actions(line: &mut Line<'_>) -> Result<BTreeSet<Action>> {
    line.expect(": ", "the table; then say how it is changed")?;
    let mut seen = BTreeSet::new();
    loop {
        let start = line.at();
        let word = line.word();
        let Some(action) = Action::ALL.iter().find(|action| action.word() == word) else {
            let known = joined(Action::ALL.iter().map(|action| action.word()));
            return line.error(
                start,
                format!("there is no change `{word}`; one of: {known}"),
            );
        };
        if !seen.insert(*action) {
            return line.error(start, "the change is there twice");
        }
        if !line.take(",") {
            return Ok(seen);
        }
        line.take(" ");
    }
}

fn code(line: &mut Line<'_>) -> Result<Subject> {
    let name = line.name()?;
    line.expect(" sha256=", "the name, then the digest of the statement")?;
    let at = line.at();
    let digest = line.rest();
    let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if digest.len() != 64 || !digest.bytes().all(hex) {
        return line.error(at, "a digest is 64 hexadecimal digits in lower case");
    }
    line.take(digest);
    Ok(Subject::Code(name, digest.to_owned()))
}

/// A phase's grants, sorted by danger.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants(Vec<Grant>);

/// The line of a list that cannot be read, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListError {
    /// The index of the line.
    pub index: usize,
    /// What is wrong with it.
    pub error: LineError,
}

impl Grants {
    /// Reads the lines of a phase.
    pub fn parse<'a>(
        lines: impl IntoIterator<Item = &'a str>,
    ) -> std::result::Result<Self, ListError> {
        let mut grants = Vec::new();
        for (index, text) in lines.into_iter().enumerate() {
            let wrong = |message: String, span: Range<usize>| ListError {
                index,
                error: LineError { message, span },
            };
            if index >= MAX_LINES {
                let message = format!("a phase has at most {MAX_LINES} grants");
                return Err(wrong(message, 0..text.len()));
            }
            let grant = Grant::parse(text).map_err(|error| ListError { index, error })?;
            if grants.contains(&grant) {
                let message = format!("the grant is there twice: {grant}");
                return Err(wrong(message, 0..text.len()));
            }
            grants.push(grant);
        }
        grants.sort();
        Ok(Grants(grants))
    }

    /// The grants, the most dangerous first.
    pub fn iter(&self) -> impl Iterator<Item = &Grant> {
        self.0.iter()
    }

    /// Whether these grants cover a need; several lines on one table add up.
    pub fn allows(&self, need: &Need) -> bool {
        need.is_met_by(&self.0)
    }

    /// The needs that these grants do not cover.
    pub fn missing<'a>(&self, needs: &'a [Need]) -> Vec<&'a Need> {
        needs.iter().filter(|need| !self.allows(need)).collect()
    }
}

/// As the list of its lines.
impl Serialize for Grants {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(ToString::to_string))
    }
}

#[cfg(test)]
mod tests;
