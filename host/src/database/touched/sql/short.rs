//! The short look-ups, which tell whether a statement and its writes are plain, and if so all of them.

use super::{
    OPERATOR_CLASS, PROBE, calls_of_the_servers_own, commands, function, operator, other, schema,
};

/// What the probe's statement depends on itself; `deep` where on types or functions, which may lead further, or where
/// somebody's operator classes are that no tree names;
/// `alone` is a relation without children that is of no extension.
pub(in super::super) fn probe() -> String {
    let depends = "FROM pg_depend d WHERE d.classid = 1255 AND d.objid = p.oid AND d.refclassid";
    format!(
        "SELECT json_build_object('body', p.prosqlbody::text, \
          'deep', EXISTS (SELECT {depends} IN (1247, 1255)) \
            OR EXISTS (SELECT FROM pg_opclass k WHERE {OPERATOR_CLASS}), \
          'operators', ARRAY(SELECT d.refobjid::bigint {depends} = 2617), \
          'others', (SELECT coalesce(json_agg(json_build_array(d.refclassid::bigint, d.refobjid::bigint)), '[]') \
            {depends} NOT IN (1247, 1255, 1259, 2615, 2617)), \
          'relations', (SELECT json_agg(json_build_object('oid', c.oid::bigint, 'schema', {c_schema}, \
              'name', c.relname, 'kind', c.relkind, 'row_security', c.relrowsecurity, \
              'alone', NOT c.relhassubclass AND NOT EXISTS (SELECT FROM pg_depend x \
                WHERE x.classid = 1259 AND x.objid = c.oid AND x.deptype = 'e'), \
              'columns', (SELECT json_object_agg(a.attnum, a.attname) FROM pg_attribute a \
                WHERE a.attrelid = c.oid))) \
            FROM pg_class c WHERE c.oid = ANY (ARRAY(SELECT d.refobjid {depends} = 1259))))::text \
        FROM pg_proc p WHERE p.proname = '{PROBE}' AND p.pronamespace = pg_my_temp_schema()",
        c_schema = schema("c.relnamespace"),
    )
}

/// The operators with these oids, and other objects with these classes and oids, given as three arrays.
pub(in super::super) fn objects() -> String {
    format!(
        "SELECT json_build_object( \
          'operators', (SELECT coalesce(json_agg({operator}), '[]') FROM unnest($1::text::oid[]) AS o (oid)), \
          'others', (SELECT coalesce(json_agg({other}), '[]') \
            FROM unnest($2::text::oid[], $3::text::oid[]) AS o (class, oid)))::text",
        operator = operator("o.oid", "NULL"),
        other = other("o.class", "o.oid"),
    )
}

/// The functions and types with these oids, given as two arrays.
pub(in super::super) fn names() -> String {
    format!(
        "SELECT json_build_object( \
          'functions', (SELECT coalesce(json_object_agg(f.oid, {function}), '{{}}') \
            FROM unnest($1::text::oid[]) AS f (oid)), \
          'types', (SELECT coalesce(json_object_agg(y.oid, json_build_object('schema', {y_schema}, \
              'name', y.typname, 'kind', y.typtype, 'constant', false)), '{{}}') \
            FROM pg_type y WHERE y.oid = ANY ($2::text::oid[])))::text",
        function = function("f.oid", "NULL"),
        y_schema = schema("y.typnamespace"),
    )
}

/// Writes to tables of which nothing follows, each with whether it is one: a table that stands alone, without
/// rules and users' triggers, with nothing but the server's own in its defaults, constraints and indexes; `calls`
/// are those of its functions that may do more than look. The parameter is that of [`super::effects`]. With them
/// comes whether commands on objects find somebody's casts and default operator classes, but an extension's, and
/// event triggers that are on.
pub(in super::super) fn effects() -> String {
    format!(
        "SELECT json_build_object('tables', (SELECT json_agg(json_build_object('schema', s.nspname, 'name', c.relname, 'kind', c.relkind, \
      'verb', i.item ->> 'verb', 'columns', i.item -> 'columns', 'row_security', c.relrowsecurity, \
      'row_security_forced', c.relforcerowsecurity, 'partition', false, 'part', false, \
      'calls', ARRAY(SELECT b.proname FROM (SELECT d.adbin::text FROM pg_attrdef d WHERE d.adrelid = c.oid \
         UNION ALL SELECT k.conbin::text FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype = 'c') \
        AS t (body) CROSS JOIN {own} AS b), \
      'plain', c.relkind = 'r' AND NOT c.relispartition AND NOT c.relhassubclass \
        AND (i.item ->> 'verb' = 'define' OR NOT c.relhasrules AND NOT EXISTS (SELECT FROM pg_trigger t \
          WHERE c.relhastriggers AND t.tgrelid = c.oid AND (NOT t.tgisinternal OR t.tgparentid <> 0))) \
        AND (i.item ->> 'verb' IN ('define', 'insert') OR NOT EXISTS (SELECT FROM pg_trigger t \
          JOIN pg_constraint f ON f.oid = t.tgconstraint \
          WHERE c.relhastriggers AND t.tgrelid = c.oid AND f.confrelid = c.oid)) \
        AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.atttypid >= 16384 \
          AND (SELECT y.typtype FROM pg_type y WHERE y.oid = a.atttypid) <> 'e') \
        AND NOT EXISTS (SELECT FROM pg_depend o JOIN pg_depend n ON n.classid = o.classid AND n.objid = o.objid \
          WHERE o.refclassid = 1259 AND o.refobjid = c.oid AND o.classid IN (1259, 2604, 2606, 3381) \
            AND (n.refclassid IN (1255, 2616, 2617) OR o.classid = 2604 AND n.refclassid = 1259 \
              AND n.refobjid <> c.oid AND i.item ->> 'verb' <> 'define')) \
        AND NOT EXISTS (SELECT FROM pg_depend n WHERE n.classid = 1259 AND n.objid = c.oid \
          AND n.refclassid IN (1255, 2616, 2617)))) \
    FROM json_array_elements($1::text::json) AS i (item) \
      JOIN pg_namespace s ON s.nspname = (i.item ->> 'schema') \
      JOIN pg_class c ON c.relnamespace = s.oid AND c.relname = (i.item ->> 'table')), \
    'reaching', EXISTS (SELECT FROM pg_cast k WHERE {cast}) OR EXISTS (SELECT FROM pg_opclass k WHERE {class}), \
    'events', EXISTS (SELECT FROM pg_event_trigger e WHERE {on}))::text",
        cast = commands::CAST,
        class = OPERATOR_CLASS,
        on = commands::ON,
        own = calls_of_the_servers_own("t.body")
    )
}
