//! Who may work on what: a command on objects runs as their owner. Pure but for the look-up of the owners.

use std::collections::{BTreeMap, BTreeSet};

use crate::database::role::{self, Owner};
use crate::guard::grants::name::Name;
use crate::guard::grants::{Grants, Kind, Subject};
use crate::guard::statement::{Change, ChangeKind, Role};

/// The owners of the objects on which a phase may work.
#[derive(Debug, Default)]
pub struct Owners(BTreeMap<Name, Owner>);

/// The objects whose owners are to be looked up, for the grants that concern definitions.
pub fn concerned(grants: &Grants) -> Vec<(role::Kind, Name)> {
    let mut found = BTreeSet::new();
    for grant in grants.iter() {
        let is_type = match grant.kind {
            Kind::EnumValue | Kind::DropType => true,
            Kind::Alter
            | Kind::Analyze
            | Kind::Comment
            | Kind::DropMatview
            | Kind::DropSequence
            | Kind::DropTable
            | Kind::DropView
            | Kind::Index
            | Kind::Lock
            | Kind::Reference
            | Kind::Refresh
            | Kind::Statistics
            | Kind::UseSequence
            | Kind::Vacuum => false,
            _ => continue,
        };
        if let Subject::Name(name) | Subject::Actions(name, _) = &grant.subject {
            found.insert((name.clone(), is_type));
        }
    }
    let kind = |is_type| match is_type {
        true => role::Kind::Type,
        false => role::Kind::Relation,
    };
    found
        .into_iter()
        .map(|(name, is_type)| (kind(is_type), name))
        .collect()
}

/// The owner of all of them, if it is one other than the login and the login may act as it.
pub fn one_owner(found: Vec<Owner>) -> Option<Owner> {
    let first = found.first()?.clone();
    let same = found.iter().all(|owner| owner.owner == first.owner);
    (same && !first.is_login && first.may_act).then_some(first)
}

/// Whether a command makes, drops or renames something whose owner may have been looked up.
pub fn outdates(change: &Change) -> bool {
    let of = |touched: &[Role]| change.touched.iter().any(|one| touched.contains(&one.role));
    of(&[Role::Created, Role::Dropped])
}

impl Owners {
    /// From what was asked and what was answered.
    pub fn new(asked: Vec<(role::Kind, Name)>, answered: Vec<Owner>) -> Self {
        let named = answered.into_iter().filter_map(|owner| {
            let (_, name) = asked.get(owner.place)?;
            Some((name.clone(), owner))
        });
        Owners(named.collect())
    }

    /// As which owner the command runs; none means the login. What is new belongs to the login, as it would
    /// where an operator typed the command; what several owners must agree to, the login does as a member of
    /// each; so does it what the owner may not, such as an index in a schema that is not the owner's.
    pub fn actor(&self, change: &Change) -> Option<&Owner> {
        use ChangeKind as K;
        if matches!(
            change.kind,
            K::CreateExtension
                | K::CreateMatview
                | K::CreateSchema
                | K::CreateSequence
                | K::CreateStatistics
                | K::CreateTable
                | K::CreateTableAs
                | K::CreateType
                | K::CreateView
                | K::DropExtension
        ) {
            return None;
        }
        let mut found: Option<&Owner> = None;
        for touched in &change.touched {
            let owner = match touched.role {
                Role::Created => continue,
                Role::Index | Role::Statistics => self.of_schema(&touched.name)?,
                _ => self.0.get(&touched.name)?,
            };
            if found.is_some_and(|found| found.owner != owner.owner) {
                return None;
            }
            found = Some(owner);
        }
        found.filter(|owner| !owner.is_login && owner.may_act && owner.may_create)
    }

    /// The owner of all objects of a schema that are known, if it is one: an index belongs to its table's owner,
    /// and the statement does not name the table.
    fn of_schema(&self, object: &Name) -> Option<&Owner> {
        let mut of_schema = self
            .0
            .iter()
            .filter(|(name, _)| name.schema == object.schema)
            .map(|(_, owner)| owner);
        let first = of_schema.next()?;
        of_schema
            .all(|owner| owner.owner == first.owner)
            .then_some(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::statement::{Class, required};

    fn owners(list: &[(&str, &str)]) -> Owners {
        let named = list.iter().map(|(table, owner)| {
            let owner = Owner {
                place: 0,
                owner: (*owner).to_owned(),
                is_login: *owner == "login",
                may_act: *owner != "stranger",
                inherits: true,
                may_create: *owner != "poor",
            };
            (Name::new("public", table).unwrap(), owner)
        });
        Owners(named.collect())
    }

    fn change(sql: &str) -> Change {
        match required(sql).class {
            Class::Change(change) => change,
            other => panic!("{sql}: {other:?}"),
        }
    }

    #[test]
    fn a_command_runs_as_the_one_owner_of_all_that_it_changes() {
        let owners = owners(&[
            ("a", "ann"),
            ("a2", "ann"),
            ("b", "bob"),
            ("l", "login"),
            ("s", "stranger"),
            ("p", "poor"),
        ]);
        for (sql, expected) in [
            ("CREATE INDEX i ON public.a (x)", Some("ann")),
            ("ALTER TABLE public.a ADD COLUMN x int", Some("ann")),
            (
                "ALTER TABLE public.a ADD FOREIGN KEY (x) REFERENCES public.a2",
                Some("ann"),
            ),
            ("DROP TABLE public.a, public.a2", Some("ann")),
            ("LOCK TABLE public.a", Some("ann")),
            // two owners, the login's own, one that it can't act as, one that may not create, none
            (
                "ALTER TABLE public.a ADD FOREIGN KEY (x) REFERENCES public.b",
                None,
            ),
            ("DROP TABLE public.a, public.b", None),
            ("CREATE INDEX i ON public.l (x)", None),
            ("CREATE INDEX i ON public.s (x)", None),
            ("CREATE INDEX i ON public.p (x)", None),
            ("CREATE INDEX i ON public.unknown (x)", None),
            // what is new is the login's
            ("CREATE TABLE public.n (x int REFERENCES public.a)", None),
            ("CREATE SCHEMA n", None),
            ("CREATE EXTENSION e SCHEMA public", None),
        ] {
            let found = owners.actor(&change(sql));
            assert_eq!(found.map(|owner| &*owner.owner), expected, "{sql}");
        }
    }

    #[test]
    fn an_index_is_dropped_by_the_one_owner_of_its_schemas_tables() {
        let drop = change("DROP INDEX public.i");
        let one = owners(&[("a", "ann"), ("b", "ann")]);
        assert_eq!(one.actor(&drop).map(|owner| &*owner.owner), Some("ann"));
        assert_eq!(owners(&[("a", "ann"), ("b", "bob")]).actor(&drop), None);
    }

    #[test]
    fn owners_are_asked_of_what_a_grant_changes() {
        let grants = [
            "index public.a",
            "alter public.a: rename",
            "drop type public.y",
            "read public.r",
        ];
        let grants = Grants::parse(grants).unwrap();
        let name = |name| Name::new("public", name).unwrap();
        assert_eq!(
            concerned(&grants),
            [
                (role::Kind::Relation, name("a")),
                (role::Kind::Type, name("y"))
            ]
        );
        assert!(outdates(&change("DROP TABLE public.a")));
        assert!(outdates(&change("CREATE TABLE public.a ()")));
        assert!(!outdates(&change("DROP INDEX public.a")));
        assert!(!outdates(&change("CREATE INDEX i ON public.a (x)")));
    }
}
