//! The look-up of what writes set off.

use super::{
    TYPES_WITHIN, calls_of_the_servers_own, extension, function, functions_of_classes, label,
    schema, type_label,
};

/// A trigger that a user made and that fires. Triggers of partitions are marked internal up to version 14;
/// 1250 and 1644 to 1655 are the functions of unique and foreign keys.
const FIRES: &str = "(NOT t.tgisinternal OR t.tgparentid <> 0 AND t.tgfoid <> 1250 \
       AND t.tgfoid NOT BETWEEN 1644 AND 1655) \
     AND CASE current_setting('session_replication_role') WHEN 'replica' THEN t.tgenabled IN ('R', 'A') \
       ELSE t.tgenabled IN ('O', 'A') END";

/// The bit of a verb in pg_trigger.tgtype; 1 is FOR EACH ROW, 2 BEFORE, 64 INSTEAD OF. Source: PostgreSQL,
/// `src/include/catalog/pg_trigger.h`.
const EVENT: &str =
    "CASE w.verb WHEN 'insert' THEN 4 WHEN 'delete' THEN 8 WHEN 'update' THEN 16 ELSE 32 END";

/// The verb in pg_rewrite.ev_type.
const RULE_EVENT: &str =
    "CASE w.verb WHEN 'update' THEN '2' WHEN 'insert' THEN '3' WHEN 'delete' THEN '4' END";

/// Everything that writes set off. The parameter is a JSON array of `{schema, table, verb, columns}`.
/// Of commands, which build indexes or define a table, it tells what their tables are made of.
pub(in super::super) fn effects(server: u32) -> String {
    let set_columns = if server >= 15 {
        "coalesce(CASE WHEN w.verb = 'delete' THEN f.confdelsetcols END, f.conkey)"
    } else {
        "f.conkey"
    };
    // up to version 14 what a generated column needs is noted with the column, not with its expression
    let generated = if server >= 15 {
        "2604::oid, d.oid, 0"
    } else {
        "CASE a.attgenerated WHEN '' THEN 2604 ELSE 1259 END::oid, \
           CASE a.attgenerated WHEN '' THEN d.oid ELSE w.rel END, \
           CASE a.attgenerated WHEN '' THEN 0 ELSE a.attnum::int END"
    };
    format!(
        "WITH RECURSIVE write (rel, verb, cols, rows_only, way, origin) AS ( \
          SELECT CASE WHEN i.item ->> 'verb' IN ('build', 'define') THEN coalesce( \
              (SELECT x.indrelid FROM pg_index x WHERE x.indexrelid = c.oid), c.oid) ELSE c.oid END, \
            i.item ->> 'verb', CASE json_typeof(i.item -> 'columns') WHEN 'array' THEN \
              ARRAY(SELECT x COLLATE \"C\" FROM json_array_elements_text(i.item -> 'columns') AS e (x)) END, \
            false, NULL::text, 0::oid \
          FROM json_array_elements($1::text::json) AS i (item) \
            JOIN pg_namespace s ON s.nspname = (i.item ->> 'schema') \
            JOIN pg_class c ON c.relnamespace = s.oid AND c.relname = (i.item ->> 'table') \
         UNION \
          SELECT n.* FROM write w JOIN pg_class c ON c.oid = w.rel \
          CROSS JOIN LATERAL (SELECT CASE WHEN w.cols IS NULL OR c.relhastriggers AND EXISTS ( \
              SELECT FROM pg_trigger t WHERE t.tgrelid = w.rel AND t.tgtype & 83 = 19 AND {FIRES}) \
            THEN NULL ELSE w.cols || ARRAY(SELECT a.attname::text FROM pg_attribute a \
              WHERE a.attrelid = w.rel AND a.attgenerated <> '') END) AS k (cols) \
          CROSS JOIN LATERAL ( \
            SELECT h.inhrelid, v.verb, CASE WHEN v.verb = 'update' THEN w.cols END, true, v.way, w.rel \
            FROM pg_inherits h CROSS JOIN LATERAL (SELECT w.verb, 'inherited' \
              UNION ALL SELECT x, 'moved' FROM unnest(ARRAY['delete', 'insert']) AS e (x) \
              WHERE w.verb = 'update' AND c.relkind = 'p' AND (k.cols IS NULL OR EXISTS ( \
                SELECT FROM pg_partitioned_table p WHERE p.partrelid = w.rel AND (p.partexprs IS NOT NULL \
                  OR EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = w.rel \
                    AND a.attnum = ANY (p.partattrs) AND a.attname::text = ANY (k.cols)))))) AS v (verb, way) \
            WHERE c.relhassubclass AND h.inhparent = w.rel \
              AND (c.relkind = 'p' OR w.verb <> 'insert' AND coalesce(w.way, '') NOT LIKE 'on %') \
           UNION ALL \
            SELECT f.conrelid, CASE a.action WHEN 'c' THEN w.verb ELSE 'update' END, \
              CASE WHEN w.verb = 'update' OR a.action <> 'c' THEN ARRAY(SELECT b.attname::text \
                FROM pg_attribute b WHERE b.attrelid = f.conrelid AND b.attnum = ANY ({set_columns}) \
                ORDER BY b.attnum) END, \
              false, 'on ' || w.verb || ' ' || a.action, f.oid \
            FROM pg_trigger t JOIN pg_constraint f ON f.oid = t.tgconstraint \
              CROSS JOIN LATERAL (SELECT CASE w.verb WHEN 'delete' THEN f.confdeltype \
                ELSE f.confupdtype END::text) AS a (action) \
            WHERE c.relhastriggers AND w.verb IN ('update', 'delete') AND t.tgrelid = w.rel \
              AND t.tgisinternal AND t.tgenabled <> 'D' AND t.tgtype & {EVENT} <> 0 \
              AND f.contype = 'f' AND f.confrelid = w.rel AND a.action IN ('c', 'n', 'd') \
              AND (w.verb = 'delete' OR k.cols IS NULL OR EXISTS (SELECT FROM pg_attribute b \
                WHERE b.attrelid = w.rel AND b.attnum = ANY (f.confkey) AND b.attname::text = ANY (k.cols))) \
           UNION ALL \
            SELECT b.rel, w.verb, CASE WHEN w.verb = 'update' AND w.cols IS NOT NULL \
              THEN nullif(ARRAY(SELECT o.attname::text \
                FROM regexp_matches(r.ev_action::text, ':resno (\\d+) :resname (?:[^ \\\\]|\\\\.)+ \
:ressortgroupref \\d+ :resorigtbl (\\d+) :resorigcol (\\d+)', 'g') AS m (found) \
                  JOIN pg_attribute u ON u.attrelid = w.rel AND u.attnum = (m.found[1])::int \
                    AND u.attname::text = ANY (w.cols) \
                  JOIN pg_attribute o ON o.attrelid = b.rel AND o.attnum = (m.found[3])::int \
                WHERE (m.found[2])::oid = b.rel ORDER BY o.attnum), '{{}}') END, \
              false, 'view', w.rel \
            FROM pg_rewrite r CROSS JOIN LATERAL (SELECT (m.found[1])::oid \
              FROM regexp_matches(r.ev_action::text, ':rtekind 0 :relid (\\d+)', 'g') \
                WITH ORDINALITY AS m (found, n) \
              WHERE (m.found[1])::oid <> r.ev_class ORDER BY m.n LIMIT 1) AS b (rel) \
            WHERE c.relkind = 'v' AND r.ev_class = w.rel AND r.rulename = '_RETURN' \
              AND w.verb NOT IN ('build', 'define') \
              AND NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = w.rel AND t.tgtype & 64 <> 0 \
                AND t.tgtype & {EVENT} <> 0) \
              AND NOT EXISTS (SELECT FROM pg_rewrite o WHERE o.ev_class = w.rel AND o.is_instead \
                AND o.ev_enabled <> 'D' AND o.ev_qual::text = '<>' AND o.ev_type = ({RULE_EVENT})::\"char\") \
          ) AS n (rel, verb, cols, rows_only, way, origin) \
        ), fired AS MATERIALIZED ( \
          SELECT DISTINCT t.oid, t.tgname, t.tgrelid, t.tgfoid FROM write w \
            JOIN pg_trigger t ON t.tgrelid = w.rel \
          WHERE {FIRES} AND t.tgtype & {EVENT} <> 0 AND w.verb NOT IN ('build', 'define') AND (NOT w.rows_only OR t.tgtype & 1 = 1 OR w.verb = 'truncate') \
            AND (w.verb <> 'update' OR w.cols IS NULL OR t.tgattr::text = '' OR EXISTS ( \
              SELECT FROM pg_attribute a WHERE a.attrelid = w.rel AND a.attnum = ANY (t.tgattr) \
                AND (a.attgenerated <> '' OR a.attname::text = ANY (w.cols)))) \
        ), target AS MATERIALIZED ( \
          SELECT w.rel, bool_or(w.verb <> 'build') AS whole FROM write w \
          WHERE w.verb IN ('insert', 'update', 'build', 'define') GROUP BY w.rel \
        ), type (object) AS ( \
          SELECT a.atttypid FROM target w JOIN pg_attribute a ON a.attrelid = w.rel \
          WHERE w.whole AND a.attnum > 0 AND a.atttypid >= 16384 \
         UNION SELECT n.object FROM type t CROSS JOIN {TYPES_WITHIN} \
        ), run (class, object, number, via, body) AS ( \
          SELECT DISTINCT {generated}, CASE a.attgenerated WHEN '' THEN 'default of column ' \
              ELSE 'generated column ' END || quote_ident(a.attname) || ' of ' || {rel}, d.adbin::text \
          FROM write w JOIN pg_attrdef d ON d.adrelid = w.rel \
            JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum \
          WHERE w.verb IN ('insert', 'update', 'define') AND (a.attgenerated <> '' OR NOT w.rows_only \
            AND w.verb <> 'define' AND (w.verb = 'insert' OR w.cols IS NULL OR a.attname::text = ANY (w.cols))) \
         UNION ALL \
          SELECT 2606::oid, k.oid, 0, 'CHECK constraint ' || quote_ident(k.conname) || ' of ' || {rel}, k.conbin::text \
          FROM target w JOIN pg_constraint k ON k.conrelid = w.rel WHERE w.whole AND k.contype = 'c' \
         UNION ALL \
          SELECT 1259::oid, i.indexrelid, 0, 'index ' || {index}, NULL FROM target w JOIN pg_index i ON i.indrelid = w.rel \
         UNION ALL \
          SELECT 1259::oid, w.rel, 0, 'partition key of ' || {rel}, NULL FROM target w \
          WHERE (SELECT c.relkind FROM pg_class c WHERE c.oid = w.rel) = 'p' \
         UNION ALL \
          SELECT 2620::oid, t.oid, 0, 'condition of trigger ' || quote_ident(t.tgname) || ' on ' || {fired}, \
            (SELECT q.tgqual::text FROM pg_trigger q WHERE q.oid = t.oid) FROM fired t \
         UNION ALL \
          SELECT 2606::oid, k.oid, 0, 'CHECK of domain ' || {domain}, k.conbin::text \
          FROM type t JOIN pg_constraint k ON k.contypid = t.object \
         UNION ALL \
          SELECT 1247::oid, y.oid, 0, 'default of domain ' || {domain}, y.typdefaultbin::text \
          FROM type t JOIN pg_type y ON y.oid = t.object WHERE y.typtype = 'd' \
        ), needed AS MATERIALIZED ( \
          SELECT r.class, r.object, r.via, d.refclassid, d.refobjid FROM run r \
            JOIN pg_depend d ON d.classid = r.class AND d.objid = r.object AND d.objsubid = r.number \
          WHERE d.refclassid IN (1255, 1259, 2616, 2617) AND d.refobjid <> r.object \
            AND NOT (r.class = 2620 AND d.refclassid = 1255 \
              AND d.refobjid = (SELECT t.tgfoid FROM pg_trigger t WHERE t.oid = r.object)) \
        ) \
        SELECT json_build_object( \
          'tables', (SELECT json_agg(json_build_object('schema', {c_schema}, 'name', c.relname, \
              'kind', c.relkind, 'verb', w.verb, 'columns', w.cols, 'row_security', c.relrowsecurity, \
              'row_security_forced', c.relforcerowsecurity, 'partition', c.relispartition, \
              'part', c.relispartition AND coalesce(w.way IN ('inherited', 'moved'), false), \
              'via', CASE WHEN w.way = 'inherited' THEN \
                  CASE WHEN c.relispartition THEN 'partition of ' ELSE 'child of ' END || {origin} \
                WHEN w.way = 'moved' THEN 'row moved between the partitions of ' || {origin} \
                WHEN w.way = 'view' THEN 'view ' || {origin} \
                WHEN w.way LIKE 'on %' THEN upper(left(w.way, -2)) || CASE right(w.way, 1) WHEN 'c' THEN ' CASCADE' \
                  WHEN 'n' THEN ' SET NULL' ELSE ' SET DEFAULT' END || (SELECT format(' of constraint %I on ', \
                  f.conname) FROM pg_constraint f WHERE f.oid = w.origin) || {rel} END)) \
            FROM write w JOIN pg_class c ON c.oid = w.rel), \
          'triggers', (SELECT json_agg(json_build_object('schema', {t_schema}, 'table', t_class.relname, \
              'name', t.tgname, 'function', {trigger_function})) \
            FROM fired t JOIN pg_class t_class ON t_class.oid = t.tgrelid), \
          'rules', (SELECT json_agg(DISTINCT jsonb_build_object('schema', {c_schema}, 'table', c.relname, \
              'name', r.rulename, 'instead', r.is_instead)) \
            FROM write w JOIN pg_class c ON c.oid = w.rel JOIN pg_rewrite r ON r.ev_class = w.rel \
            WHERE c.relhasrules AND NOT w.rows_only AND r.ev_enabled <> 'D' \
              AND r.ev_type = ({RULE_EVENT})::\"char\"), \
          'functions', (SELECT json_agg({function}) FROM (SELECT DISTINCT n.via, CASE n.refclassid \
              WHEN 1255 THEN n.refobjid ELSE (SELECT o.oprcode::oid FROM pg_operator o \
                WHERE o.oid = n.refobjid) END AS object \
            FROM needed n WHERE n.refclassid IN (1255, 2617) \
           UNION SELECT r.via, b.oid FROM run r CROSS JOIN {own} AS b \
           UNION SELECT k.via, k.object FROM ({of_classes}) AS k (object, via) \
            WHERE EXISTS (SELECT FROM target w JOIN pg_index i ON i.indrelid = w.rel)) AS f), \
          'sequences', (SELECT json_agg(json_build_object('schema', {c_schema}, 'name', c.relname, 'via', n.via, \
              'owned', EXISTS (SELECT FROM pg_depend o WHERE o.classid = 1259 AND o.objid = c.oid \
                AND o.refclassid = 1259 AND o.deptype = 'a' \
                AND o.refobjid = (SELECT a.adrelid FROM pg_attrdef a WHERE a.oid = n.object)))) \
            FROM needed n JOIN pg_class c ON c.oid = n.refobjid \
            WHERE n.class = 2604 AND n.refclassid = 1259 AND c.relkind = 'S'), \
          'others', (SELECT json_agg(json_build_object('class', i.type, 'schema', i.schema, \
              'name', coalesce(i.name, i.identity), 'extension', {opclass_extension}, 'via', n.via)) \
            FROM needed n CROSS JOIN LATERAL pg_identify_object(n.refclassid, n.refobjid, 0) AS i \
            WHERE n.refclassid = 2616) \
        )::text",
        rel = label("w.rel"),
        of_classes = functions_of_classes("SELECT object FROM type"),
        own = calls_of_the_servers_own("r.body"),
        index = label("i.indexrelid"),
        fired = label("t.tgrelid"),
        domain = type_label("t.object"),
        origin = label("w.origin"),
        c_schema = schema("c.relnamespace"),
        t_schema = schema("t_class.relnamespace"),
        trigger_function = function(
            "t.tgfoid",
            &format!(
                "'trigger ' || quote_ident(t.tgname) || ' on ' || {}",
                label("t.tgrelid")
            )
        ),
        function = function("f.object", "f.via"),
        opclass_extension = extension("2616", "n.refobjid"),
    )
}
