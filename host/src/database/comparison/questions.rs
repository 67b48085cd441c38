//! The two questions about the catalogs: what may have changed, and what it is. Pure.

use std::collections::BTreeSet;

use super::Key;
use super::catalogs::{Address, CATALOGS, Catalog};

/// Which session asks.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Side {
    /// The one that made the changes: new versions of rows are no older than its transaction.
    Ours,
    /// The other: old versions of rows are being deleted or replaced.
    Theirs,
}

/// The places of the catalogs that a release has and a login may read.
pub(super) fn places(server: u32, superuser: bool) -> BTreeSet<usize> {
    let known = CATALOGS.iter().enumerate().filter(|(_, catalog)| {
        catalog.since <= server && catalog.superuser.is_none_or(|wanted| wanted == superuser)
    });
    known.map(|(place, _)| place).collect()
}

/// The question for the keys of all rows of these catalogs that may have been changed, as `[[place, key], ..]`.
pub(super) fn candidates(places: &BTreeSet<usize>, side: Side) -> String {
    // age() counts back from the transaction's own id where it has one; ids of its savepoints are later
    let changed = match side {
        Side::Ours => "age(t.xmin) <= 0",
        Side::Theirs => "t.xmax <> '0'",
    };
    let of_each: Vec<String> = places
        .iter()
        .filter_map(|place| Some((place, CATALOGS.get(*place)?)))
        .map(|(place, catalog)| {
            let Catalog { table, key, filter, content, .. } = catalog;
            if catalog.whole {
                return format!(
                    "SELECT {place} AS place, md5(coalesce(string_agg(({content})::text, ' ' ORDER BY {key}), '')) AS key \
                     FROM {table} t"
                );
            }
            format!(
                "SELECT {place} AS place, ({key})::text AS key FROM {table} t WHERE {changed} AND {filter}"
            )
        })
        .collect();
    format!(
        "SELECT json_agg(json_build_array(place, key))::text FROM ({}) c",
        of_each.join(" UNION ALL ")
    )
}

/// The question for the rows with these keys, which it takes as a JSON array of texts.
pub(super) fn details(keys: &BTreeSet<Key>) -> String {
    let of_each = of_each(keys, |place, catalog| of_one(place, catalog, keys));
    format!(
        "{WANTED} SELECT json_agg(json_build_object('place', place, 'key', key, 'what', what, 'content', content, \
           'explained', explained))::text FROM ({of_each}) c"
    )
}

/// The keys that are asked for, as one array.
const WANTED: &str = "WITH w AS MATERIALIZED (SELECT array(SELECT json_array_elements_text($1::text::json)) AS keys)";

/// A question of each catalog that has one of these keys.
fn of_each(keys: &BTreeSet<Key>, question: impl Fn(usize, &Catalog) -> String) -> String {
    let places: BTreeSet<usize> = keys.iter().map(|(place, _)| *place).collect();
    let of_each: Vec<String> = places
        .into_iter()
        .filter_map(|place| Some(question(place, CATALOGS.get(place)?)))
        .collect();
    of_each.join(" UNION ALL ")
}

/// The question for all that users have made in these catalogs, and for what of the server's own was written since the
/// transaction that is given; each with a digest of what is compared, and with whether it comes with something else.
pub(super) fn picture(places: &BTreeSet<usize>) -> String {
    let of_each: Vec<String> = places
        .iter()
        .filter_map(|place| Some((place, CATALOGS.get(*place)?)))
        .map(|(place, catalog)| {
            let Catalog { table, key, filter, content, .. } = catalog;
            let (what, _) = address(catalog);
            let own = match *key {
                "t.oid" => "(t.oid >= 16384 OR age(t.xmin) <= age($1::text::xid))",
                _ => "true",
            };
            let follows = match *table {
                "pg_trigger" => "t.tgisinternal OR t.tgparentid <> 0",
                "pg_rewrite" => "t.rulename = '_RETURN'",
                _ => "false",
            };
            format!(
                "SELECT {place} AS place, ({key})::text AS key, {what} AS what, md5(({content})::text) AS digest, \
                 {follows} AS follows FROM {table} t WHERE {filter} AND {own}"
            )
        })
        .collect();
    format!(
        "SELECT json_agg(c)::text FROM ({}) c WHERE c.what IS NOT NULL",
        of_each.join(" UNION ALL ")
    )
}

fn of_one(place: usize, catalog: &Catalog, keys: &BTreeSet<Key>) -> String {
    let Catalog {
        table,
        key,
        filter,
        content,
        explained,
        ..
    } = catalog;
    let (what, member) = address(catalog);
    let extension = member.map_or("NULL::jsonb".to_owned(), |(class, oid)| {
        // an operator or a function of a family depends on the family, the class, or what it names
        let through = match *table {
            "pg_amop" | "pg_amproc" => format!(
                "OR (d.classid, d.objid) IN (SELECT m.refclassid, m.refobjid FROM pg_depend m \
                 WHERE m.classid = {class} AND m.objid = {oid})"
            ),
            _ => String::new(),
        };
        format!(
            "(SELECT jsonb_build_object('extension', x.extname) FROM pg_depend d \
             JOIN pg_extension x ON x.oid = d.refobjid WHERE d.deptype = 'e' \
             AND d.refclassid = 'pg_extension'::regclass \
             AND (d.classid = {class} AND d.objid = {oid} {through}) LIMIT 1)"
        )
    });
    let wanted = wanted(place, catalog, keys);
    format!(
        "SELECT {place} AS place, ({key})::text AS key, {what} AS what, {content} AS content, \
         coalesce({extension}, {explained}) AS explained FROM w, {table} t WHERE {wanted} AND {filter}"
    )
}

/// How a row is called, and what it belongs to: the catalog and the oid.
fn address(catalog: &Catalog) -> (String, Option<(String, &'static str)>) {
    let own = format!("'{}'::regclass", catalog.table);
    match catalog.address {
        Address::Oid(oid) => (
            format!("(pg_identify_object({own}, {oid}, 0)).identity"),
            Some((own, oid)),
        ),
        Address::Column(oid, number) => (
            format!("(pg_identify_object('pg_class'::regclass, {oid}, {number})).identity"),
            Some(("'pg_class'::regclass".to_owned(), oid)),
        ),
        Address::Words(words, member) => (
            words.to_owned(),
            member.map(|(table, oid)| (format!("'{table}'::regclass"), oid)),
        ),
    }
}

/// The condition for a catalog's rows with these keys; a catalog that is compared as a whole is read so.
fn wanted(place: usize, catalog: &Catalog, keys: &BTreeSet<Key>) -> String {
    let of_this = keys.iter().filter(|(of, _)| *of == place);
    let oids: Vec<&str> = of_this.map(|(_, key)| key.as_str()).collect();
    let is_oid = |key: &&str| !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_digit());
    match catalog.key {
        _ if catalog.whole => "true".to_owned(),
        // by the index
        "t.oid" if oids.iter().all(is_oid) => format!("t.oid IN ({})", oids.join(", ")),
        key => format!("({key})::text = ANY (w.keys)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_question_is_for_the_release_and_the_login_that_it_is_asked_of() {
        let candidates = |server, superuser, side| candidates(&places(server, superuser), side);
        let old = candidates(14, true, Side::Ours);
        assert!(!old.contains("pg_parameter_acl") && old.contains("pg_authid"));
        assert!(candidates(15, true, Side::Ours).contains("pg_parameter_acl"));
        let least = candidates(18, false, Side::Theirs);
        assert!(!least.contains("pg_authid") && least.contains("pg_roles"));
        assert!(!least.contains("FROM pg_user_mapping"));
        assert!(least.contains("t.xmax") && !least.contains("t.xmin"));
    }

    #[test]
    fn details_are_asked_of_catalogs_with_candidates_alone() {
        let trigger = CATALOGS
            .iter()
            .position(|catalog| catalog.class == "trigger")
            .unwrap();
        let sql = details(&BTreeSet::from([(trigger, "1".to_owned())]));
        assert!(sql.contains("FROM w, pg_trigger t"));
        assert!(!sql.contains("UNION ALL"));
    }
}
