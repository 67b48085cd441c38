//! The look-up of what commands on objects set off beside what writes do.

use super::{
    TYPES_WITHIN, calls_of_the_servers_own, function, functions_of_classes, label, schema,
    type_label,
};

/// Somebody's cast that runs a function. Of an extension's, the extension's grant is all that is asked.
pub(super) const CAST: &str = "k.oid >= 16384 AND k.castfunc <> 0 AND NOT EXISTS (SELECT FROM pg_depend x \
    WHERE x.classid = 2605 AND x.objid = k.oid AND x.deptype = 'e')";

/// An event trigger that is on; those of `login` concern no command.
pub(super) const ON: &str = "e.evtevent <> 'login' AND e.evtenabled IN ('A', \
    CASE current_setting('session_replication_role') WHEN 'replica' THEN 'R' ELSE 'O' END)";

/// The event triggers that are on.
pub(in super::super) fn event_triggers() -> String {
    format!(
        "SELECT json_agg(json_build_object('event', e.evtevent, 'tags', coalesce(e.evttags, '{{}}'), \
            'function', {function}))::text FROM pg_event_trigger e WHERE {ON}",
        function = function("e.evtfoid", "'event trigger ' || quote_ident(e.evtname)"),
    )
}

/// The functions that a command's types, casts and the operator classes and statistics of its tables run. The
/// parameter is a JSON object of `tables`, as for [`super::effects`], of `types` and of `casts`. Which of the columns
/// an expression reads is not asked: a cast or an operator class of any of their types counts.
pub(in super::super) fn commands() -> String {
    format!(
        "WITH RECURSIVE work (rel) AS ( \
          SELECT coalesce((SELECT x.indrelid FROM pg_index x WHERE x.indexrelid = c.oid), c.oid) \
          FROM json_array_elements($1::text::json -> 'tables') AS i (item) \
            JOIN pg_namespace s ON s.nspname = (i.item ->> 'schema') \
            JOIN pg_class c ON c.relnamespace = s.oid AND c.relname = (i.item ->> 'table') \
         UNION SELECT h.inhrelid FROM work w JOIN pg_inherits h ON h.inhparent = w.rel \
        ), held (object) AS ( \
          SELECT y.oid FROM json_array_elements($1::text::json -> 'types') AS i (item) \
            JOIN pg_namespace s ON s.nspname = (i.item ->> 0) \
            JOIN pg_type y ON y.typnamespace = s.oid AND y.typname = (i.item ->> 1) \
         UNION SELECT n.object FROM held t CROSS JOIN {TYPES_WITHIN} \
        ), type (object) AS ( \
          SELECT object FROM held \
         UNION SELECT a.atttypid FROM work w JOIN pg_attribute a ON a.attrelid = w.rel \
          WHERE a.attnum > 0 AND a.atttypid <> 0 \
         UNION SELECT n.object FROM type t CROSS JOIN {TYPES_WITHIN} \
        ), run (class, object, via, body) AS ( \
          SELECT 2606::oid, k.oid, 'CHECK of domain ' || {domain}, k.conbin::text \
          FROM held t JOIN pg_constraint k ON k.contypid = t.object \
         UNION ALL \
          SELECT 1247::oid, y.oid, 'default of domain ' || {domain}, y.typdefaultbin::text \
          FROM held t JOIN pg_type y ON y.oid = t.object WHERE y.typtype = 'd' \
         UNION ALL \
          SELECT 3381::oid, x.oid, format('statistics %I.%I of ', {x_schema}, x.stxname) || {rel}, NULL \
          FROM work w JOIN pg_statistic_ext x ON x.stxrelid = w.rel \
        ), called (object, via) AS ( \
          SELECT CASE d.refclassid WHEN 1255 THEN d.refobjid \
            ELSE (SELECT o.oprcode::oid FROM pg_operator o WHERE o.oid = d.refobjid) END, r.via \
          FROM run r JOIN pg_depend d ON d.classid = r.class AND d.objid = r.object \
          WHERE d.refclassid IN (1255, 2617) \
         UNION SELECT b.oid, r.via FROM run r CROSS JOIN {own} AS b \
         UNION SELECT k.castfunc, 'cast from ' || {source} || ' to ' || {target} \
          FROM pg_cast k WHERE ($1::text::json ->> 'casts')::boolean AND {CAST} \
            AND (k.casttarget IN (SELECT object FROM held) OR k.castcontext <> 'e' \
              AND (k.castsource < 16384 AND k.casttarget < 16384 \
                OR k.castsource IN (SELECT object FROM type) OR k.casttarget IN (SELECT object FROM type))) \
         UNION {of_classes} \
        ) \
        SELECT coalesce(json_agg({function}), '[]')::text FROM called f",
        domain = type_label("t.object"),
        x_schema = schema("x.stxnamespace"),
        of_classes = functions_of_classes("SELECT object FROM type"),
        rel = label("w.rel"),
        own = calls_of_the_servers_own("r.body"),
        source = type_label("k.castsource"),
        target = type_label("k.casttarget"),
        function = function("f.object", "f.via"),
    )
}

/// Those that inherit from a table, at any depth, its partitions too.
pub(in super::super) const HEIRS: &str = "WITH RECURSIVE heir (rel) AS ( \
      SELECT h.inhrelid FROM pg_inherits h JOIN pg_class c ON c.oid = h.inhparent \
        JOIN pg_namespace s ON s.oid = c.relnamespace WHERE s.nspname = $1 AND c.relname = $2 \
     UNION SELECT h.inhrelid FROM heir w JOIN pg_inherits h ON h.inhparent = w.rel) \
    SELECT json_agg(json_build_object('schema', s.nspname, 'name', c.relname, 'kind', c.relkind, \
        'partition', c.relispartition) ORDER BY s.nspname, c.relname)::text \
    FROM heir w JOIN pg_class c ON c.oid = w.rel JOIN pg_namespace s ON s.oid = c.relnamespace";
