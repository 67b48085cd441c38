//! Indexes and foreign keys that a guest describes: how the database stands to them.

use super::state::{Answer, State};
use super::steps::Call;
use super::wit::checks;
use crate::database::{
    Expected, ExtensionInfo, ForeignKeySpec, IndexKey, IndexSpec, Lookup, Session, Standing,
    Target, label, quoted,
};
use crate::finding::Finding;

impl State {
    /// How the indexes stand, asked once.
    pub(super) async fn indexes_looked_at(&mut self, specs: &[IndexSpec]) -> Answer<Vec<Standing>> {
        self.ready()?;
        let call = Call::asking("index-standings", "the check of indexes", &specs);
        if let Some(kept) = self.begin_step(call).await? {
            return Ok(kept);
        }
        let standings = self.index_states(specs, Expected::Absent).await?;
        self.end_step(&standings, false).await?;
        Ok(standings)
    }

    /// Requires that each index stands as it is wanted.
    pub(super) async fn indexes_required(&mut self, specs: &[IndexSpec]) -> Answer<()> {
        self.ready()?;
        let call = Call::asking("require-indexes", "the check of indexes", &specs);
        if self.begin_step::<()>(call).await?.is_some() {
            return Ok(());
        }
        let standings = self.index_states(specs, Expected::Present).await?;
        self.indexes_stand(specs, standings)?;
        self.end_step(&(), false).await
    }

    /// How a foreign key stands, asked once.
    pub(super) async fn foreign_key_looked_at(
        &mut self,
        spec: &ForeignKeySpec,
    ) -> Answer<Standing> {
        self.ready()?;
        let call = Call::asking("foreign-key-standing", &spec.name, spec);
        if let Some(kept) = self.begin_step(call).await? {
            return Ok(kept);
        }
        let standing = self.foreign_key_state(spec, Expected::Absent).await?;
        self.end_step(&standing, false).await?;
        Ok(standing)
    }

    /// Requires that a foreign key stands as it is wanted.
    pub(super) async fn foreign_key_required(&mut self, spec: &ForeignKeySpec) -> Answer<()> {
        self.ready()?;
        let call = Call::asking("require-foreign-key", &spec.name, spec);
        if self.begin_step::<()>(call).await?.is_some() {
            return Ok(());
        }
        let standing = self.foreign_key_state(spec, Expected::Present).await?;
        let (name, wanted) = (quoted(&spec.name), spec.to_string());
        self.stands("foreign-key", &name, &wanted, standing)?;
        self.end_step(&(), false).await
    }

    pub(super) async fn index_states(
        &mut self,
        specs: &[IndexSpec],
        expected: Expected,
    ) -> Answer<Vec<Standing>> {
        self.ready_to_ask("the check of an index")?;
        let what = match specs {
            [spec] => format!("the check of index {}", spec.name),
            specs => format!("the check of {} indexes", specs.len()),
        };
        let find = async |session: &Session| session.find_indexes(specs, expected).await;
        let lookups = self.ask(&what, find).await?;
        if lookups
            .iter()
            .all(|lookup| matches!(lookup, Lookup::Told(_)))
        {
            let compared = self.session.compare_indexes(specs, lookups).await;
            return compared.map_err(|failure| self.fault(&what, failure));
        }
        let probes: Vec<_> = specs
            .iter()
            .filter_map(|spec| Some((spec.probe()?, (&*spec.schema, &*spec.table))))
            .collect();
        let runs_code = self.admit_expressions(&probes).await?;
        // the guest's expressions are only planned, but planning may evaluate what is constant
        let tables = specs.iter().map(|spec| (&*spec.schema, &*spec.table));
        let ahead = self.as_planner(&tables.collect(), runs_code).await?;
        let comparing = self.session.compare_indexes(specs, lookups);
        let standings = self.session.between(&ahead, comparing, "").await;
        self.checked(&what, standings).await
    }

    /// Requires that each stands as it is wanted; all findings are recorded before the first failure counts.
    pub(super) fn indexes_stand(
        &mut self,
        specs: &[IndexSpec],
        standings: Vec<Standing>,
    ) -> Answer<()> {
        let mut outcome = Ok(());
        for (spec, standing) in std::iter::zip(specs, standings) {
            let subject = label(&spec.schema, &spec.name);
            let found = self.stands("index", &subject, &spec.to_string(), standing);
            outcome = outcome.and(found);
        }
        outcome
    }

    pub(super) async fn foreign_key_state(
        &mut self,
        spec: &ForeignKeySpec,
        expected: Expected,
    ) -> Answer<Standing> {
        self.ready_to_ask("the check of a foreign key")?;
        let find = async |session: &Session| session.foreign_key_standing(spec, expected).await;
        self.ask("the check of a foreign key", find).await
    }

    pub(super) fn stands(
        &mut self,
        kind: &'static str,
        subject: &str,
        expected: &str,
        standing: Standing,
    ) -> Answer<()> {
        let met = standing == Standing::Equal;
        let seen = match standing {
            Standing::Absent => "absent".to_owned(),
            Standing::Equal => "valid, as defined".to_owned(),
            Standing::Invalid => "there, but not valid".to_owned(),
            Standing::Different(difference) => format!("different: {difference}"),
        };
        let (subject, expected) = (subject.to_owned(), expected.to_owned());
        self.find(Finding {
            kind: kind.into(),
            subject,
            expected,
            seen,
            met,
        })
    }
}

impl From<Standing> for checks::Standing {
    fn from(standing: Standing) -> Self {
        match standing {
            Standing::Absent => checks::Standing::Absent,
            Standing::Equal => checks::Standing::Equal,
            Standing::Invalid => checks::Standing::Invalid,
            Standing::Different(difference) => checks::Standing::Different(difference),
        }
    }
}

impl From<ExtensionInfo> for checks::ExtensionInfo {
    fn from(info: ExtensionInfo) -> Self {
        checks::ExtensionInfo {
            schema: info.schema,
            version: info.version,
        }
    }
}

impl From<checks::IndexSpec> for IndexSpec {
    fn from(spec: checks::IndexSpec) -> Self {
        let keys = spec.keys.into_iter().map(|key| IndexKey {
            target: match key.target {
                checks::IndexTarget::Column(name) => Target::Column(name),
                checks::IndexTarget::Expression(sql) => Target::Expression(sql),
            },
            operator_class: key.operator_class.map(|class| (class.schema, class.name)),
            descending: key.descending,
            nulls_first: key.nulls_first,
        });
        IndexSpec {
            schema: spec.table.schema,
            table: spec.table.name,
            name: spec.name,
            unique: spec.unique,
            method: spec.method,
            keys: keys.collect(),
            include: spec.include,
            predicate: spec.predicate,
        }
    }
}

impl From<checks::ForeignKeySpec> for ForeignKeySpec {
    fn from(spec: checks::ForeignKeySpec) -> Self {
        let action = |action| match action {
            checks::KeyAction::NoAction => "NO ACTION",
            checks::KeyAction::Restrict => "RESTRICT",
            checks::KeyAction::Cascade => "CASCADE",
            checks::KeyAction::SetNull => "SET NULL",
            checks::KeyAction::SetDefault => "SET DEFAULT",
        };
        ForeignKeySpec {
            table: (spec.table.schema, spec.table.name),
            name: spec.name,
            columns: spec.columns,
            referenced: (spec.referenced.schema, spec.referenced.name),
            referenced_columns: spec.referenced_columns,
            on_update: action(spec.on_update),
            on_delete: action(spec.on_delete),
        }
    }
}
