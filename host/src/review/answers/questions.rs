//! The questions whose answer lies in the grants alone.

use crate::guard::grants::{Action, Grant, Kind, Subject};

/// A question about kinds of grants: yes where one of them has an effect.
pub(super) struct Question {
    /// A name for it, for programs.
    pub(super) key: &'static str,
    /// The question.
    pub(super) question: &'static str,
    /// Whether a grant makes the answer a yes.
    pub(super) concerns: fn(&Grant) -> bool,
}

/// In the order in which they are asked.
pub(super) const QUESTIONS: &[Question] = &[
    Question {
        key: "writes-rows",
        question: "Can it write rows?",
        concerns: |grant| {
            use Kind::{
                Call, CodeFunction, CodeTrigger, Delete, DropMatview, DropTable, Fires, Insert,
                Truncate, Update,
            };
            matches!(
                grant.kind,
                Insert
                    | Update
                    | Delete
                    | Truncate
                    | DropTable
                    | DropMatview
                    | Call
                    | Fires
                    | CodeFunction
                    | CodeTrigger
            ) || alters(grant, CHANGING)
                || alters(grant, &[Action::DropColumn])
        },
    },
    Question {
        key: "reads",
        question: "Can it read rows?",
        concerns: |grant| grant.kind == Kind::Read,
    },
    Question {
        key: "adds",
        question: "Can it add rows?",
        concerns: |grant| grant.kind == Kind::Insert,
    },
    Question {
        key: "changes",
        question: "Can it change rows?",
        concerns: |grant| grant.kind == Kind::Update || alters(grant, CHANGING),
    },
    Question {
        key: "deletes",
        question: "Can it delete rows or columns?",
        concerns: |grant| {
            use Kind::{Delete, DropMatview, DropTable, Truncate};
            matches!(grant.kind, Delete | Truncate | DropTable | DropMatview)
                || alters(grant, &[Action::DropColumn])
        },
    },
    Question {
        key: "redefines",
        question: "Can it change definitions, indexes and constraints?",
        concerns: |grant| {
            use Kind::{Alter, Comment, EnumValue, Index, Reference, Statistics};
            matches!(
                grant.kind,
                Alter | Index | Reference | EnumValue | Statistics | Comment
            )
        },
    },
    Question {
        key: "makes",
        question: "Can it make tables, views, sequences, types or schemas?",
        concerns: |grant| {
            use Kind::{
                CreateMatview, CreateSchema, CreateSequence, CreateTable, CreateType, CreateView,
            };
            matches!(
                grant.kind,
                CreateTable
                    | CreateView
                    | CreateMatview
                    | CreateSequence
                    | CreateType
                    | CreateSchema
            )
        },
    },
    Question {
        key: "drops",
        question: "Can it drop tables, views, sequences or types?",
        concerns: |grant| {
            use Kind::{DropMatview, DropSequence, DropTable, DropType, DropView};
            matches!(
                grant.kind,
                DropTable | DropView | DropMatview | DropSequence | DropType
            )
        },
    },
    Question {
        key: "code",
        question: "Can it run or install code that is not the server's own?",
        concerns: |grant| {
            use Kind::{Call, CodeFunction, CodePolicy, CodeTrigger, Extension, Fires};
            matches!(
                grant.kind,
                CodeFunction | CodeTrigger | CodePolicy | Call | Fires | Extension
            )
        },
    },
    Question {
        key: "extension",
        question: "Does it need an extension, or create or drop one?",
        concerns: |grant| grant.kind == Kind::Extension,
    },
    Question {
        key: "else",
        question: "What else may it do?",
        concerns: |grant| {
            use Kind::{Analyze, Catalog, Lock, Refresh, UseSequence, UseType, Vacuum};
            matches!(
                grant.kind,
                UseSequence | UseType | Lock | Refresh | Vacuum | Analyze | Catalog
            )
        },
    },
];

/// Changes of a definition that change what is in the rows.
const CHANGING: &[Action] = &[Action::ColumnType, Action::Default, Action::AddColumn];

fn alters(grant: &Grant, any: &[Action]) -> bool {
    match &grant.subject {
        Subject::Actions(_, actions) => any.iter().any(|action| actions.contains(action)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::grants::name::Name;

    #[test]
    fn every_kind_of_grant_is_in_the_answer_to_a_question() {
        let name = Name::new("public", "t").unwrap();
        for kind in Kind::ALL {
            let grant = match kind {
                Kind::Alter => Grant::alter(name.clone(), Action::Rename),
                kind => Grant::on(*kind, name.clone()),
            };
            assert!(
                QUESTIONS.iter().any(|question| (question.concerns)(&grant)),
                "{kind:?}"
            );
        }
    }
}
