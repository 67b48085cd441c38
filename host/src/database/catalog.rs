//! What the catalog knows: the answers to the asking checks.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::failure::Failure;
use super::session::Session;

/// A column as the catalog knows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ColumnInfo {
    /// As `format_type` prints it.
    pub type_name: String,
    /// Whether NULL is allowed.
    pub nullable: bool,
    /// The default's expression.
    pub default: Option<String>,
}

/// A constraint as the catalog knows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConstraintInfo {
    /// What `pg_get_constraintdef` prints.
    pub definition: String,
    /// Whether the existing rows are known to meet it.
    pub validated: bool,
}

/// An installed extension.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExtensionInfo {
    /// The schema of its objects.
    pub schema: String,
    /// The installed version.
    pub version: String,
}

/// An index as the catalog knows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IndexInfo {
    /// The table's schema.
    pub table_schema: String,
    /// The table's name.
    pub table_name: String,
    /// What `pg_get_indexdef` prints.
    pub definition: String,
    /// Whether queries may use it.
    pub valid: bool,
}

impl Session {
    /// Runs the host's own query whose first value is a JSON object, and reads it.
    pub(super) async fn json<T: DeserializeOwned>(
        &self,
        sql: &str,
        params: &[&str],
    ) -> Result<Option<T>, Failure> {
        let Some(text) = self.text(sql, params).await? else {
            return Ok(None);
        };
        serde_json::from_str(&text).map(Some).map_err(|error| {
            Failure::Unusable(format!("the catalog's answer is not understood: {error}"))
        })
    }

    /// Whether a table, view or materialized view of that name exists.
    pub async fn table_exists(&self, schema: &str, name: &str) -> Result<bool, Failure> {
        let sql = "SELECT 'yes' FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
                   WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p', 'v', 'm', 'f')";
        Ok(self.text(sql, &[schema, name]).await?.is_some())
    }

    /// A column of a table.
    pub async fn column(
        &self,
        schema: &str,
        table: &str,
        name: &str,
    ) -> Result<Option<ColumnInfo>, Failure> {
        let sql = "SELECT json_build_object('type_name', format_type(a.atttypid, a.atttypmod), \
                     'nullable', NOT a.attnotnull, \
                     'default', pg_get_expr(d.adbin, d.adrelid))::text \
                   FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid \
                     JOIN pg_namespace n ON n.oid = c.relnamespace \
                     LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum \
                   WHERE n.nspname = $1 AND c.relname = $2 AND a.attname = $3 \
                     AND a.attnum > 0 AND NOT a.attisdropped";
        self.json(sql, &[schema, table, name]).await
    }

    /// An index.
    pub async fn index(&self, schema: &str, name: &str) -> Result<Option<IndexInfo>, Failure> {
        let sql = "SELECT json_build_object('table_schema', tn.nspname, 'table_name', t.relname, \
                     'definition', pg_get_indexdef(i.indexrelid), \
                     'valid', i.indisvalid AND i.indisready)::text \
                   FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid \
                     JOIN pg_namespace n ON n.oid = c.relnamespace \
                     JOIN pg_class t ON t.oid = i.indrelid \
                     JOIN pg_namespace tn ON tn.oid = t.relnamespace \
                   WHERE n.nspname = $1 AND c.relname = $2";
        self.json(sql, &[schema, name]).await
    }

    /// A constraint of a table.
    pub async fn constraint(
        &self,
        schema: &str,
        table: &str,
        name: &str,
    ) -> Result<Option<ConstraintInfo>, Failure> {
        let sql = "SELECT json_build_object('definition', pg_get_constraintdef(k.oid), \
                     'validated', k.convalidated)::text \
                   FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid \
                     JOIN pg_namespace n ON n.oid = c.relnamespace \
                   WHERE n.nspname = $1 AND c.relname = $2 AND k.conname = $3";
        self.json(sql, &[schema, table, name]).await
    }

    /// An installed extension.
    pub async fn extension(&self, name: &str) -> Result<Option<ExtensionInfo>, Failure> {
        let sql = "SELECT json_build_object('schema', n.nspname, 'version', e.extversion)::text \
                   FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace \
                   WHERE e.extname = $1";
        self.json(sql, &[name]).await
    }

    /// The version that CREATE EXTENSION would install.
    pub async fn available_extension(&self, name: &str) -> Result<Option<String>, Failure> {
        let sql = "SELECT default_version FROM pg_available_extensions WHERE name = $1";
        self.text(sql, &[name]).await
    }
}
