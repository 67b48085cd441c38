//! What the catalog says about an index or a foreign key that has the wanted name.

use serde::Deserialize;

#[derive(Deserialize)]
pub(super) struct FoundIndex {
    pub(super) kind: String,
    pub(super) schema: Option<String>,
    pub(super) table: Option<String>,
    pub(super) method: Option<String>,
    pub(super) unique: Option<bool>,
    pub(super) valid: Option<bool>,
    pub(super) nulls_not_distinct: Option<bool>,
    pub(super) options: Option<Vec<String>>,
    pub(super) exclusion: Option<bool>,
    pub(super) immediate: Option<bool>,
    pub(super) definition: Option<String>,
    pub(super) predicate: Option<String>,
    pub(super) keys: Option<Vec<FoundKey>>,
}

#[derive(Deserialize)]
pub(super) struct FoundKey {
    pub(super) is_key: bool,
    pub(super) column: Option<String>,
    pub(super) expression: String,
    pub(super) opclass: Option<String>,
    pub(super) opclass_schema: Option<String>,
    pub(super) opclass_default: Option<bool>,
    pub(super) parameters: Option<Vec<String>>,
    pub(super) option: Option<i16>,
}

pub(super) const FIND_INDEX: &str = "\
    SELECT json_build_object('kind', c.relkind, 'schema', tn.nspname, 'table', t.relname, \
      'method', am.amname, 'unique', i.indisunique, 'valid', i.indisvalid AND i.indisready, \
      'nulls_not_distinct', coalesce((to_jsonb(i) ->> 'indnullsnotdistinct')::boolean, false), \
      'options', c.reloptions, 'exclusion', i.indisexclusion, 'immediate', i.indimmediate, \
      'definition', pg_get_indexdef(i.indexrelid), 'predicate', pg_get_expr(i.indpred, i.indrelid), \
      'keys', (SELECT json_agg(json_build_object( \
          'is_key', k.n <= i.indnkeyatts, 'column', a.attname, \
          'expression', pg_get_indexdef(i.indexrelid, k.n::int, false), \
          'opclass', o.opcname, 'opclass_schema', opn.nspname, 'opclass_default', o.opcdefault, \
          'parameters', own.attoptions, 'option', i.indoption[k.n - 1]) ORDER BY k.n) \
        FROM generate_series(1, i.indnatts) AS k(n) \
          LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[k.n - 1] \
            AND i.indkey[k.n - 1] <> 0 \
          LEFT JOIN pg_attribute own ON own.attrelid = i.indexrelid AND own.attnum = k.n \
          LEFT JOIN pg_opclass o ON k.n <= i.indnkeyatts AND o.oid = i.indclass[k.n - 1] \
          LEFT JOIN pg_namespace opn ON opn.oid = o.opcnamespace))::text \
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
      LEFT JOIN pg_index i ON i.indexrelid = c.oid LEFT JOIN pg_am am ON am.oid = c.relam \
      LEFT JOIN pg_class t ON t.oid = i.indrelid LEFT JOIN pg_namespace tn ON tn.oid = t.relnamespace \
    WHERE n.nspname = $1 AND c.relname = $2";

pub(super) const FIND_FOREIGN_KEY: &str = "\
    SELECT json_build_object('kind', k.contype, 'schema', rn.nspname, 'table', r.relname, \
      'columns', (SELECT json_agg(a.attname ORDER BY u.n) FROM unnest(k.conkey) WITH ORDINALITY AS u(num, n) \
        JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.num), \
      'referenced_columns', (SELECT json_agg(a.attname ORDER BY u.n) \
        FROM unnest(k.confkey) WITH ORDINALITY AS u(num, n) \
        JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.num), \
      'on_update', k.confupdtype, 'on_delete', k.confdeltype, 'match', k.confmatchtype, \
      'deferrable', k.condeferrable, 'validated', k.convalidated, \
      'special', (to_jsonb(k) ->> 'confdelsetcols') IS NOT NULL \
        OR coalesce((to_jsonb(k) ->> 'conperiod')::boolean, false) \
        OR NOT coalesce((to_jsonb(k) ->> 'conenforced')::boolean, true))::text \
    FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid \
      JOIN pg_namespace n ON n.oid = c.relnamespace \
      LEFT JOIN pg_class r ON r.oid = k.confrelid LEFT JOIN pg_namespace rn ON rn.oid = r.relnamespace \
    WHERE n.nspname = $1 AND c.relname = $2 AND k.conname = $3";

#[derive(Deserialize)]
pub(super) struct FoundForeignKey {
    pub(super) kind: String,
    pub(super) schema: Option<String>,
    pub(super) table: Option<String>,
    pub(super) columns: Option<Vec<String>>,
    pub(super) referenced_columns: Option<Vec<String>>,
    pub(super) on_update: String,
    pub(super) on_delete: String,
    #[serde(rename = "match")]
    pub(super) matching: String,
    pub(super) deferrable: bool,
    pub(super) validated: bool,
    /// What newer servers know: SET NULL of some columns, a PERIOD, NOT ENFORCED.
    pub(super) special: bool,
}
