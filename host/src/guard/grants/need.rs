//! What a statement needs, as far as its text tells.
//!
//! The text alone cannot say which table an index belongs to, which of two functions of a name is
//! meant, or which of two tables has a column. Such a need is written with a `?`, and this wall is
//! satisfied by a grant that may be the right one. The walls behind it ask the server: the resolve
//! wall through `pg_depend`, the role wall through column-wise privileges. A need never says less
//! than the statement takes: where the text is certain, so is the need.

use std::collections::BTreeSet;
use std::fmt;

use super::name::{Ident, Name};
use super::signature::Signature;
use super::{Grant, Kind, Subject};

/// Something that a statement needs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Need {
    /// Exactly this grant.
    Grant(Grant),
    /// `read` or `update` of these columns of a table and of `more` that the text cannot name.
    Columns {
        /// The kind of the grant.
        kind: Kind,
        /// The table.
        table: Name,
        /// The columns that the text names.
        columns: BTreeSet<Ident>,
    },
    /// A grant of this kind on the table that the object belongs to.
    Owner {
        /// The kind of the grant.
        kind: Kind,
        /// What the object is.
        object: Object,
        /// The object.
        name: Name,
    },
    /// A call of a function with that many arguments, of types that the text does not tell.
    Call {
        /// The function.
        function: Name,
        /// The arguments that are written.
        arguments: usize,
    },
    /// The extension, in whatever schema it is.
    Extension(Ident),
    /// An object that belongs to an extension in the object's schema.
    ExtensionObject {
        /// What the object is.
        object: Object,
        /// The object; names of operators are kept as they are written.
        name: Name,
    },
    /// A type of a user's, or of an extension's in its schema.
    Type(Name),
    /// A type that belongs to an extension: the type itself, or that extension in its schema.
    ExtensionType {
        /// The extension.
        extension: Ident,
        /// The type.
        name: Name,
    },
}

/// What an object is that a statement names without naming what it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Object {
    /// An index of a table.
    Index,
    /// Extended statistics of a table.
    Statistics,
    /// An operator of an extension.
    Operator,
    /// An operator class of an extension.
    OperatorClass,
    /// A text-search configuration or dictionary of an extension.
    TextSearch,
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Object::Index => "index",
            Object::Statistics => "statistics",
            Object::Operator => "operator",
            Object::OperatorClass => "operator class",
            Object::TextSearch => "text search object",
        })
    }
}

impl Need {
    /// A need of a kind on an object.
    pub fn on(kind: Kind, name: Name) -> Self {
        Need::Grant(Grant::on(kind, name))
    }

    /// The kind of grant that would meet it.
    pub fn kind(&self) -> Kind {
        match self {
            Need::Grant(grant) => grant.kind,
            Need::Columns { kind, .. } | Need::Owner { kind, .. } => *kind,
            Need::Call { .. } => Kind::Call,
            Need::Extension(_) | Need::ExtensionObject { .. } => Kind::Extension,
            Need::Type(_) | Need::ExtensionType { .. } => Kind::UseType,
        }
    }

    /// Whether it is shown with a `?`, for what only the server knows.
    pub fn is_open(&self) -> bool {
        match self {
            Need::Columns { .. } | Need::Extension(_) | Need::ExtensionObject { .. } => true,
            Need::Call { arguments, .. } => *arguments > 0,
            _ => false,
        }
    }

    /// What is wrong with what it names, where the catalog was asked and knows no grant that meets it.
    pub fn unknown(&self) -> Option<String> {
        match self {
            Need::Owner { object, .. } => Some(format!("no such {object}")),
            _ => None,
        }
    }

    /// Whether grants meet it, as far as the text tells.
    pub fn is_met_by(&self, grants: &[Grant]) -> bool {
        let mut of_kind = grants.iter().filter(|grant| grant.kind == self.kind());
        match self {
            Need::Grant(need) => match &need.subject {
                Subject::Columns(table, columns) if !columns.is_empty() => {
                    covers(of_kind, table, columns)
                }
                Subject::Actions(table, actions) => actions.iter().all(|action| {
                    let need = Grant::alter(table.clone(), *action);
                    grants.iter().any(|grant| grant.allows(&need))
                }),
                _ => of_kind.any(|grant| grant.allows(need)),
            },
            Need::Columns { table, columns, .. } => covers(of_kind, table, columns),
            // an index lives in the schema of its table, statistics may live in any
            Need::Owner { object, name, .. } => of_kind.any(|grant| {
                *object == Object::Statistics
                    || (grant.subject.name()).is_some_and(|table| table.schema == name.schema)
            }),
            Need::Call { function, .. } => of_kind.any(|grant| {
                matches!(&grant.subject, Subject::Function(Signature { function: granted, arguments })
                    if granted == function && !arguments.is_empty())
            }),
            Need::Extension(extension) => of_kind.any(
                |grant| matches!(&grant.subject, Subject::Extension(name, _) if name == extension),
            ),
            Need::ExtensionObject { name, .. } => of_kind.any(|grant| in_schema(grant, name)),
            Need::Type(name) => {
                of_kind.any(|grant| grant.subject.name() == Some(name))
                    || grants.iter().any(|grant| in_schema(grant, name))
            }
            Need::ExtensionType { extension, name } => {
                of_kind.any(|grant| grant.subject.name() == Some(name))
                    || (grants.iter()).any(|grant| {
                        matches!(&grant.subject, Subject::Extension(granted, schema)
                            if granted == extension && *schema == name.schema)
                    })
            }
        }
    }

    /// The line of a manifest that would meet it for certain, where the text tells one.
    pub fn line(&self) -> Option<String> {
        self.grant().map(|grant| grant.to_string())
    }

    /// The grant that would meet it for certain, where the text tells one.
    pub fn grant(&self) -> Option<Grant> {
        match self {
            Need::Grant(grant) => Some(grant.clone()),
            Need::Columns { kind, table, .. } => Some(Grant::on(*kind, table.clone())),
            Need::Type(name) | Need::ExtensionType { name, .. } => {
                Some(Grant::on(Kind::UseType, name.clone()))
            }
            _ => None,
        }
    }
}

/// Whether grants of one kind add up to these columns of a table, and to some column of it.
fn covers<'a>(
    grants: impl Iterator<Item = &'a Grant>,
    table: &Name,
    columns: &BTreeSet<Ident>,
) -> bool {
    let mut missing: BTreeSet<&Ident> = columns.iter().collect();
    let mut any = false;
    for grant in grants {
        match &grant.subject {
            Subject::Columns(granted, columns) if granted == table => {
                if columns.is_empty() {
                    return true;
                }
                any = true;
                missing.retain(|column| !columns.contains(*column));
            }
            _ => {}
        }
    }
    any && missing.is_empty()
}

fn in_schema(grant: &Grant, name: &Name) -> bool {
    matches!(&grant.subject, Subject::Extension(_, schema) if *schema == name.schema)
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Need::Grant(grant) => write!(f, "{grant}"),
            Need::Columns {
                kind,
                table,
                columns,
            } => {
                let mut names: Vec<String> = columns.iter().map(Ident::to_string).collect();
                names.push("?".to_owned());
                write!(f, "{} {table}({})", kind.words(), names.join(", "))
            }
            Need::Owner { kind, name, .. } => write!(f, "{} (table of {name})", kind.words()),
            Need::Call {
                function,
                arguments,
            } => write!(f, "call {function}({})", vec!["?"; *arguments].join(", ")),
            Need::Extension(name) => write!(f, "extension {name} in ?"),
            Need::ExtensionObject {
                object: Object::Operator,
                name: Name { schema, name },
            } => write!(
                f,
                "extension ? in {schema} (operator {schema}.{})",
                name.as_str()
            ),
            Need::ExtensionObject { object, name } => {
                write!(f, "extension ? in {} ({object} {name})", name.schema)
            }
            Need::Type(name) | Need::ExtensionType { name, .. } => write!(f, "use-type {name}"),
        }
    }
}
