//! The look-ups. What is found by an oid stands in the select list: planning joins would take longer than
//! running them. The plans are kept for the session, see `Session::aside`.
//!
//! Classes of objects are the oids of their catalogs, which never change: 1247 pg_type, 1255 pg_proc, 1259
//! pg_class, 2604 pg_attrdef, 2606 pg_constraint, 2615 pg_namespace, 2616 pg_opclass, 2617 pg_operator, 2618
//! pg_rewrite, 2620 pg_trigger, 3079 pg_extension, 3381 pg_statistic_ext. Oids from 16384 on are not the server's own.
//! Sources: PostgreSQL, "System Catalogs": pg_depend, pg_proc, pg_rewrite, pg_trigger, pg_constraint,
//! pg_inherits; "System Catalog Initial Data".

mod commands;
mod effects;
pub(super) mod short;

pub(super) use commands::{HEIRS, commands, event_triggers};
pub(super) use effects::effects;

use crate::guard::statement::OF_SEQUENCES;

/// The procedure that holds the statement for a moment.
pub(super) const PROBE: &str = "wasmigrate_probe";

/// The types to which a value of the given type leads: a domain's base, an array's element, a range's
/// subtype, a composite's columns.
const TYPES_WITHIN: &str = "LATERAL ( \
      SELECT unnest(ARRAY[y.typbasetype, y.typelem]) FROM pg_type y WHERE y.oid = t.object \
      UNION ALL SELECT a.atttypid FROM pg_attribute a WHERE a.attnum > 0 \
        AND a.attrelid = (SELECT y.typrelid FROM pg_type y WHERE y.oid = t.object AND y.typrelid <> 0) \
      UNION ALL SELECT g.rngsubtype FROM pg_range g WHERE g.rngtypid = t.object) AS n (object) \
    WHERE n.object >= 16384";

fn extension(class: &str, object: &str) -> String {
    format!(
        "CASE WHEN {object} >= 16384 THEN (SELECT e.extname FROM pg_depend x \
           JOIN pg_extension e ON e.oid = x.refobjid \
           WHERE x.classid = {class} AND x.objid = {object} AND x.refclassid = 3079 AND x.deptype = 'e') END"
    )
}

fn schema(column: &str) -> String {
    format!("(SELECT s.nspname FROM pg_namespace s WHERE s.oid = {column})")
}

/// A name for a reader.
fn label(relation: &str) -> String {
    format!(
        "(SELECT format('%I.%I', {}, l.relname) FROM pg_class l WHERE l.oid = {relation})",
        schema("l.relnamespace")
    )
}

fn type_label(object: &str) -> String {
    format!("format_type({object}, NULL)")
}

fn function(object: &str, via: &str) -> String {
    format!(
        "(SELECT json_build_object('schema', {}, 'name', p.proname, 'kind', p.prokind, \
            'builtin', p.oid < 16384 AND p.pronamespace = 11, 'via', {via}, \
            'arguments', coalesce((SELECT json_agg(format_type(g.type, NULL) ORDER BY g.n) \
              FROM unnest(p.proargtypes) WITH ORDINALITY AS g (type, n)), '[]'), \
            'security_definer', p.prosecdef, 'extension', {}) \
          FROM pg_proc p WHERE p.oid = {object})",
        schema("p.pronamespace"),
        extension("1255", "p.oid"),
    )
}

/// The functions of the server's own that a stored expression calls and that may do more than look: `pg_depend`
/// names none of them. What is volatile for its result alone the guard knows; what draws from a sequence depends on
/// it, or is the run role's to refuse.
fn calls_of_the_servers_own(body: &str) -> String {
    let of_sequences = OF_SEQUENCES.join("', '");
    format!(
        "LATERAL (SELECT v.oid, v.proname FROM regexp_matches({body}, ':funcid (\\d+)', 'g') AS m (found) \
           JOIN pg_proc v ON v.oid = (m.found[1])::oid \
         WHERE v.oid < 16384 AND v.provolatile = 'v' AND v.proname NOT IN ('{of_sequences}'))"
    )
}

/// Somebody's operator class, which a type can have where none is named.
const OPERATOR_CLASS: &str = "k.oid >= 16384 AND NOT EXISTS (SELECT FROM pg_depend x \
    WHERE x.classid = 2616 AND x.objid = k.oid AND x.deptype = 'e')";

/// The functions with which values of these types are compared that have somebody's operator class, as the elements
/// of an array, the fields of a row and the bounds of a range are without a word of it in any tree; and with which
/// ranges of these types are measured.
fn functions_of_classes(types: &str) -> String {
    format!(
        "SELECT f.object, format('operator class %I.%I', {}, k.opcname) FROM pg_opclass k \
           CROSS JOIN LATERAL (SELECT p.amproc::oid FROM pg_amproc p \
               WHERE p.amprocfamily = k.opcfamily AND p.amproclefttype = k.opcintype \
             UNION SELECT o.oprcode::oid FROM pg_amop p JOIN pg_operator o ON o.oid = p.amopopr \
               WHERE p.amopfamily = k.opcfamily AND p.amoplefttype = k.opcintype) AS f (object) \
         WHERE {OPERATOR_CLASS} AND f.object >= 16384 AND (k.opcdefault AND k.opcintype IN ({types}) \
           OR k.oid IN (SELECT g.rngsubopc FROM pg_range g WHERE g.rngtypid IN ({types}))) \
        UNION SELECT g.rngsubdiff::oid, 'range type ' || {range} FROM pg_range g \
         WHERE g.rngsubdiff::oid >= 16384 AND g.rngtypid IN ({types})",
        schema("k.opcnamespace"),
        range = type_label("g.rngtypid"),
    )
}

/// Operators and functions that compare what is in an array, a row or a range: they take any of them.
const COMPARES: &str = "EXISTS (SELECT FROM tree t CROSS JOIN LATERAL \
      regexp_matches(t.body, ':(opno|eqop|sortop|funcid|aggfnoid|winfnoid) (\\d+)', 'g') AS m (found) \
    WHERE CASE WHEN m.found[1] ~ 'op' \
      THEN (SELECT o.oprleft FROM pg_operator o WHERE o.oid = (m.found[2])::oid) IN (2249, 2277, 3831, 4537) \
      ELSE (SELECT p.proargtypes::oid[] FROM pg_proc p WHERE p.oid = (m.found[2])::oid) \
        && ARRAY[2249, 2277, 2283, 3831, 4537, 5077, 5078, 5080, 4538]::oid[] END)";

/// An operator that is not the server's own.
fn operator(object: &str, via: &str) -> String {
    format!(
        "(SELECT json_build_object('schema', {op_schema}, 'name', op.oprname, 'via', {via}, \
            'extension', {op_extension}, 'function', {op_function}) \
          FROM pg_operator op WHERE op.oid = {object})",
        op_schema = schema("op.oprnamespace"),
        op_extension = extension("2617", "op.oid"),
        op_function = function("op.oprcode", "NULL"),
    )
}

/// An object of another class.
fn other(class: &str, object: &str) -> String {
    format!(
        "(SELECT json_build_object('class', i.type, 'schema', i.schema, 'name', coalesce(i.name, i.identity), \
            'extension', {extension}) FROM pg_identify_object({class}, {object}, 0) AS i)",
        extension = extension(class, object),
    )
}

/// Everything that the probe's statement names, by way of views too; or the query of the materialized view that the
/// parameter names, where it is not null and there is no probe.
pub(super) fn touched() -> String {
    format!(
        "WITH RECURSIVE tree (via, class, object, body) AS ( \
          SELECT 0::oid, 1255::oid, p.oid, p.prosqlbody::text FROM pg_proc p \
          WHERE p.proname = '{PROBE}' AND p.pronamespace = pg_my_temp_schema() \
         UNION ALL \
          SELECT 0::oid, 2618::oid, q.oid, q.ev_action::text FROM pg_class v JOIN pg_rewrite q ON q.ev_class = v.oid \
          WHERE v.oid = to_regclass($1::text) AND v.relkind = 'm' AND q.rulename = '_RETURN' \
         UNION \
          SELECT r.ev_class, 2618::oid, r.oid, r.ev_action::text FROM tree t \
            CROSS JOIN LATERAL regexp_matches(t.body, ':relid (\\d+)', 'g') AS m (found) \
            JOIN pg_rewrite r ON r.ev_class = (m.found[1])::oid AND r.rulename = '_RETURN' \
          WHERE (SELECT c.relkind FROM pg_class c WHERE c.oid = r.ev_class) = 'v' \
        ), named (via, class, object, constant) AS ( \
          SELECT t.via, CASE WHEN m.found[1] = 'relid' THEN 1259 \
              WHEN m.found[1] ~ 'type|typid' THEN 1247 ELSE 1255 END::oid, o.object::oid, \
            m.found[1] = 'consttype' AND o.object::oid < 16384 \
          FROM tree t CROSS JOIN LATERAL regexp_matches(t.body, \
              ':(relid|funcid|aggfnoid|winfnoid|tsmhandler|resulttype|consttype|paramtype|typid|coltypes|funccoltypes) \
(?:\\(o )?(\\d+(?: \\d+)*)', 'g') AS m (found) \
            CROSS JOIN LATERAL unnest(string_to_array(m.found[2], ' ')) AS o (object) \
         UNION \
          SELECT t.via, d.refclassid, d.refobjid, false FROM tree t \
            JOIN pg_depend d ON d.classid = t.class AND d.objid = t.object \
          WHERE d.refclassid <> 2615 AND d.refobjid <> t.via \
        ), ref AS MATERIALIZED ( \
          SELECT * FROM named WHERE class <> 1247 AND object <> 0 \
         UNION \
          SELECT n.via, n.class, CASE WHEN y.typlen = -1 AND y.typelem <> 0 THEN y.typelem ELSE y.oid END, \
            n.constant AND y.typlen <> -1 \
          FROM named n JOIN pg_type y ON y.oid = n.object WHERE n.class = 1247 AND (n.object >= 16384 \
            OR CASE WHEN y.typlen = -1 AND y.typelem <> 0 THEN y.typelem ELSE y.oid END \
              IN (24, 2202, 2203, 2204, 2205, 2206, 3734, 3769, 4089, 4096, 4191)) \
        ), type (object) AS ( \
          SELECT object FROM ref WHERE class = 1247 AND object >= 16384 \
         UNION SELECT n.object FROM type t CROSS JOIN {TYPES_WITHIN} \
        ), json_cast AS MATERIALIZED ( \
          SELECT k.castsource AS source, k.casttarget AS target, k.castfunc AS function FROM pg_cast k \
          WHERE k.castfunc >= 16384 AND k.casttarget IN (114, 3802) \
            AND (EXISTS (SELECT FROM tree t WHERE t.body LIKE '%{{JSON%') OR EXISTS ( \
              SELECT FROM ref r JOIN pg_proc p ON p.oid = r.object WHERE r.class = 1255 AND p.proname ~ \
                '^(to_jsonb?|row_to_json|array_to_json|jsonb?_(object_)?agg(_.*)?|jsonb?_build_(array|object))$')) \
        ), value (object) AS ( \
          SELECT object FROM type WHERE EXISTS (SELECT FROM json_cast) \
         UNION SELECT a.atttypid FROM ref r JOIN pg_attribute a ON a.attrelid = r.object \
          WHERE r.class = 1259 AND a.atttypid >= 16384 AND EXISTS (SELECT FROM json_cast) \
         UNION SELECT unnest(p.prorettype || coalesce(p.proallargtypes, '{{}}')) FROM ref r \
            JOIN pg_proc p ON p.oid = r.object \
          WHERE r.class = 1255 AND r.object >= 16384 AND EXISTS (SELECT FROM json_cast) \
         UNION SELECT o.oprresult FROM ref r JOIN pg_operator o ON o.oid = r.object \
          WHERE r.class = 2617 AND EXISTS (SELECT FROM json_cast) \
        ), within (object) AS ( \
          SELECT object FROM value UNION SELECT n.object FROM within t CROSS JOIN {TYPES_WITHIN} \
        ), compared (object) AS ( \
          SELECT object FROM type WHERE {COMPARES} \
         UNION SELECT a.atttypid FROM ref r JOIN pg_attribute a ON a.attrelid = r.object \
          WHERE r.class = 1259 AND a.atttypid >= 16384 AND {COMPARES} \
         UNION SELECT n.object FROM compared t CROSS JOIN {TYPES_WITHIN} \
        ), found (view, reason, class, object, constant) AS ( \
          SELECT via, NULL, class, object, constant FROM ref WHERE class <> 1259 \
         UNION ALL \
          SELECT DISTINCT 0::oid, 'CHECK of domain ' || {domain}, d.refclassid, d.refobjid, false \
          FROM type t JOIN pg_constraint k ON k.contypid = t.object \
            JOIN pg_depend d ON d.classid = 2606 AND d.objid = k.oid \
          WHERE d.refclassid IN (1255, 2617) \
         UNION ALL \
          SELECT DISTINCT 0::oid, 'CHECK of domain ' || {domain}, 1255::oid, b.oid, false \
          FROM type t JOIN pg_constraint k ON k.contypid = t.object CROSS JOIN {of_check} AS b \
         UNION ALL \
          SELECT DISTINCT 0::oid, {default}, d.refclassid, d.refobjid, false \
          FROM ref r JOIN pg_proc p ON p.oid = r.object JOIN pg_depend d ON d.classid = 1255 AND d.objid = p.oid \
          WHERE r.class = 1255 AND r.object >= 16384 AND p.pronargdefaults > 0 AND d.refclassid IN (1255, 2617) \
         UNION ALL \
          SELECT DISTINCT 0::oid, {default}, 1255::oid, b.oid, false \
          FROM ref r JOIN pg_proc p ON p.oid = r.object CROSS JOIN {of_default} AS b \
          WHERE r.class = 1255 AND r.object >= 16384 \
         UNION ALL \
          SELECT DISTINCT 0::oid, k.via, 1255::oid, k.object, false FROM ({of_classes}) AS k (object, via) \
         UNION ALL \
          SELECT 0::oid, 'cast from ' || {source} || ' to ' || {target}, 1255::oid, j.function, false \
          FROM json_cast j WHERE j.source IN (SELECT object FROM within) \
        ) \
        SELECT json_build_object( \
          'trees', (SELECT json_agg(json_build_array(via::bigint, body)) FROM tree), \
          'relations', (SELECT json_agg(json_build_object('oid', c.oid::bigint, 'schema', {c_schema}, \
              'name', c.relname, 'kind', c.relkind, 'row_security', c.relrowsecurity, 'extension', {c_extension}, \
              'columns', (SELECT json_object_agg(a.attnum, a.attname) FROM pg_attribute a \
                WHERE a.attrelid = c.oid), \
              'children', CASE WHEN c.relhassubclass THEN (WITH RECURSIVE child (oid) AS ( \
                  SELECT h.inhrelid FROM pg_inherits h WHERE h.inhparent = c.oid \
                 UNION SELECT h.inhrelid FROM child JOIN pg_inherits h ON h.inhparent = child.oid) \
                SELECT json_agg(json_build_object('schema', {ch_schema}, 'name', ch.relname, 'kind', ch.relkind)) \
                FROM child JOIN pg_class ch ON ch.oid = child.oid \
                WHERE NOT ch.relispartition OR ch.relkind = 'f') END)) \
            FROM pg_class c WHERE c.oid = ANY (ARRAY(SELECT object FROM ref WHERE class = 1259))), \
          'named', (SELECT json_agg(json_build_array(via::bigint, object::bigint)) FROM ref WHERE class = 1259), \
          'functions', (SELECT json_agg(json_build_array(f.view::bigint, {function})) FROM found f WHERE f.class = 1255), \
          'operators', (SELECT json_agg(json_build_array(f.view::bigint, {operator})) \
            FROM found f WHERE f.class = 2617), \
          'types', (SELECT json_agg(json_build_array(f.view::bigint, (SELECT json_build_object( \
              'schema', {y_schema}, 'name', y.typname, 'kind', y.typtype, 'constant', f.constant, 'extension', {y_extension}) \
              FROM pg_type y WHERE y.oid = f.object))) FROM found f WHERE f.class = 1247), \
          'others', (SELECT json_agg(json_build_array(f.view::bigint, {other})) \
            FROM found f WHERE f.class NOT IN (1247, 1255, 1259, 2617)) \
        )::text",
        domain = type_label("t.object"),
        of_classes = functions_of_classes("SELECT object FROM compared"),
        of_check = calls_of_the_servers_own("k.conbin::text"),
        of_default = calls_of_the_servers_own("p.proargdefaults::text"),
        default = format!(
            "'default argument of ' || format('%I.%I', {}, p.proname)",
            schema("p.pronamespace")
        ),
        source = type_label("j.source"),
        target = type_label("j.target"),
        c_schema = schema("c.relnamespace"),
        c_extension = extension("1259", "c.oid"),
        ch_schema = schema("ch.relnamespace"),
        function = function("f.object", "f.reason"),
        operator = operator("f.object", "f.reason"),
        y_schema = schema("y.typnamespace"),
        y_extension = extension("1247", "y.oid"),
        other = other("f.class", "f.object"),
    )
}
