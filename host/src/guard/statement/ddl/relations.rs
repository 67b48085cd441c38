//! Views, and tables made from queries. Source: PostgreSQL, `CREATE VIEW`, `CREATE TABLE AS`,
//! `CREATE MATERIALIZED VIEW`.

use pg_query::NodeEnum;
use pg_query::protobuf::{CreateTableAsStmt, IntoClause, ObjectType, OnCommitAction, ViewStmt};

use crate::guard::grants::Kind;
use crate::guard::grants::name::Name;
use crate::guard::statement::options::{OF_TABLES, OF_VIEWS};
use crate::guard::statement::walk::Walker;
use crate::guard::statement::{ChangeKind, Role};

impl Walker<'_> {
    /// CREATE TABLE AS and CREATE MATERIALIZED VIEW.
    pub fn create_table_as(&mut self, create: &CreateTableAsStmt) {
        let kind = match create.objtype() {
            ObjectType::ObjectTable => {
                self.is_change(ChangeKind::CreateTableAs);
                Kind::CreateTable
            }
            ObjectType::ObjectMatview => {
                self.is_change(ChangeKind::CreateMatview);
                Kind::CreateMatview
            }
            _ => return self.deny("CREATE AS", "the guard does not know what it would do", -1),
        };
        match &create.into {
            Some(into) => {
                if let Some(table) = self.new_table(into) {
                    self.on(kind, &table);
                    self.touched(Role::Created, &table);
                }
            }
            None => self.deny("CREATE AS", "it names nothing to make", -1),
        }
        match create.query.as_deref().and_then(|node| node.node.as_ref()) {
            Some(NodeEnum::SelectStmt(select)) => self.select(select, None),
            Some(NodeEnum::ExecuteStmt(_)) => {
                self.deny("EXECUTE", "prepared statements are the host's", -1);
            }
            _ => self.deny("CREATE AS", "the guard does not know what it would do", -1),
        }
    }

    /// The table that a query's rows go into.
    pub fn new_table(&mut self, into: &IntoClause) -> Option<Name> {
        self.placement(&into.table_space_name, &into.access_method);
        self.options(&into.options, OF_TABLES);
        if into.on_commit() > OnCommitAction::OncommitNoop {
            self.deny("ON COMMIT", "temporary tables are the host's own", -1);
        }
        self.relation(into.rel.as_ref())
    }

    /// CREATE VIEW: who makes it must be allowed to read what it shows.
    pub fn create_view(&mut self, view: &ViewStmt) {
        self.is_change(ChangeKind::CreateView);
        if let Some(name) = self.relation(view.view.as_ref()) {
            self.on(Kind::CreateView, &name);
            self.touched(Role::Created, &name);
        }
        self.options(&view.options, OF_VIEWS);
        match view.query.as_deref().and_then(|node| node.node.as_ref()) {
            Some(NodeEnum::SelectStmt(select)) => self.select(select, None),
            _ => self.deny(
                "CREATE VIEW",
                "the guard does not know what it would do",
                -1,
            ),
        }
    }
}
