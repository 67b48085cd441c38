//! What the catalog says about an index or a foreign key that has the wanted name.

use serde::Deserialize;

#[derive(Deserialize)]
pub(super) struct FoundIndex {
    pub(super) kind: String,
    pub(super) table: Option<(String, String)>,
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
    /// Its name, and whether the key has the column's own collation.
    pub(super) column: Option<(String, bool)>,
    pub(super) expression: String,
    /// The operator class: schema, name, whether it is the type's default.
    pub(super) class: Option<(String, String, bool)>,
    pub(super) parameters: Option<Vec<String>>,
    pub(super) option: Option<i16>,
}

/// Whether any relation has one of these names, given as a JSON array of (schema, name).
pub(super) const ANY_NAMED: &str = "\
    SELECT 'yes' FROM json_array_elements($1::json) AS w(name) \
    WHERE EXISTS (SELECT FROM pg_class c WHERE c.relname = (w.name ->> 1) \
      AND c.relnamespace = (SELECT n.oid FROM pg_namespace n WHERE n.nspname = (w.name ->> 0))) LIMIT 1";

/// The query for indexes: its parameter is a JSON array of (schema, name), its answer an array of what has
/// these names, null where nothing has. `server` is the major version. What is looked up by an oid stands in
/// the select list, since planning the joins would take longer than running them.
pub(super) fn find_indexes(server: u32) -> String {
    let nulls_not_distinct = if server >= 15 {
        "i.indnullsnotdistinct"
    } else {
        "false"
    };
    format!(
        "SELECT json_agg(CASE WHEN c.oid IS NOT NULL THEN json_build_object( \
            'kind', c.relkind, 'options', c.reloptions, \
            'table', (SELECT json_build_array(tn.nspname, t.relname) \
              FROM pg_class t JOIN pg_namespace tn ON tn.oid = t.relnamespace WHERE t.oid = i.indrelid), \
            'method', (SELECT amname FROM pg_am WHERE oid = c.relam), \
            'unique', i.indisunique, 'valid', i.indisvalid AND i.indisready, \
            'nulls_not_distinct', {nulls_not_distinct}, \
            'exclusion', i.indisexclusion, 'immediate', i.indimmediate, \
            'definition', CASE WHEN i.indexprs IS NOT NULL THEN pg_get_indexdef(i.indexrelid) END, \
            'predicate', pg_get_expr(i.indpred, i.indrelid), \
            'keys', (SELECT json_agg(json_build_object( \
                'is_key', k.n <= i.indnkeyatts, 'option', i.indoption[k.n - 1], \
                'expression', pg_get_indexdef(i.indexrelid, k.n::int, false), \
                'column', (SELECT json_build_array(attname, \
                    coalesce(i.indcollation[k.n - 1], attcollation) = attcollation) \
                  FROM pg_attribute WHERE attrelid = i.indrelid \
                    AND attnum = k.num AND k.num <> 0), \
                'class', (SELECT json_build_array(opn.nspname, o.opcname, o.opcdefault) \
                  FROM pg_opclass o JOIN pg_namespace opn ON opn.oid = o.opcnamespace \
                  WHERE k.n <= i.indnkeyatts AND o.oid = i.indclass[k.n - 1]), \
                'parameters', (SELECT attoptions FROM pg_attribute \
                  WHERE attrelid = i.indexrelid AND attnum = k.n)) ORDER BY k.n) \
              FROM unnest(i.indkey) WITH ORDINALITY AS k(num, n))) END ORDER BY w.n)::text \
        FROM json_array_elements($1::json) WITH ORDINALITY AS w(name, n) \
          LEFT JOIN pg_namespace s ON s.nspname = (w.name ->> 0) \
          LEFT JOIN pg_class c ON c.relnamespace = s.oid AND c.relname = (w.name ->> 1) \
          LEFT JOIN pg_index i ON i.indexrelid = c.oid"
    )
}

/// Whether any constraint has this name.
pub(super) const ANY_CONSTRAINT: &str =
    "SELECT 'yes' FROM pg_constraint WHERE conname = $1 LIMIT 1";

pub(super) const FIND_FOREIGN_KEY: &str = "\
    SELECT json_build_object('kind', k.contype, \
      'referenced', (SELECT json_build_array(rn.nspname, r.relname) \
        FROM pg_class r JOIN pg_namespace rn ON rn.oid = r.relnamespace WHERE r.oid = k.confrelid), \
      'columns', (SELECT json_agg(a.attname ORDER BY array_position(k.conkey, a.attnum)) \
        FROM pg_attribute a WHERE a.attrelid = k.conrelid AND a.attnum = ANY (k.conkey)), \
      'referenced_columns', (SELECT json_agg(a.attname ORDER BY array_position(k.confkey, a.attnum)) \
        FROM pg_attribute a WHERE a.attrelid = k.confrelid AND a.attnum = ANY (k.confkey)), \
      'on_update', k.confupdtype, 'on_delete', k.confdeltype, 'match', k.confmatchtype, \
      'deferrable', k.condeferrable, 'validated', k.convalidated, \
      'special', (to_jsonb(k) ->> 'confdelsetcols') IS NOT NULL \
        OR coalesce((to_jsonb(k) ->> 'conperiod')::boolean, false) \
        OR NOT coalesce((to_jsonb(k) ->> 'conenforced')::boolean, true))::text \
    FROM pg_constraint k \
    WHERE k.conname = $3 AND k.conrelid = (SELECT c.oid FROM pg_class c \
      JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2)";

#[derive(Deserialize)]
pub(super) struct FoundForeignKey {
    pub(super) kind: String,
    pub(super) referenced: Option<(String, String)>,
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
