//! The members of granted extensions, which are many and need not be read in full.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Key, catalogs};
use crate::database::failure::Failure;
use crate::database::session::Session;

/// Objects as catalog and oid.
type Members = BTreeSet<(String, String)>;

/// The objects that belong to these extensions, as catalog and oid, with those that belong to a member: the arrays
/// of a type, a range's multirange, the operators and functions of an operator class or family.
const MEMBERS: &str = "WITH member AS ( \
      SELECT d.classid, d.objid FROM pg_depend d \
      WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' \
        AND d.refobjid IN (SELECT x.oid FROM pg_extension x \
          WHERE x.extname IN (SELECT json_array_elements_text($1::text::json))) \
    ) SELECT json_agg(json_build_array(classid::regclass, objid::text))::text FROM ( \
      SELECT classid, objid FROM member \
     UNION SELECT d.classid, d.objid FROM member m \
        JOIN pg_depend d ON d.refclassid = m.classid AND d.refobjid = m.objid \
      WHERE d.deptype = 'i' AND d.classid = 'pg_type'::regclass AND m.classid = 'pg_type'::regclass \
        OR d.deptype IN ('i', 'a') AND d.classid IN ('pg_amop'::regclass, 'pg_amproc'::regclass) \
          AND m.classid IN ('pg_opclass'::regclass, 'pg_opfamily'::regclass)) AS found";

/// The members of these extensions that a session sees.
pub(super) async fn of(session: &Session, extensions: &[&str]) -> Result<Members, Failure> {
    let extensions = Value::from(extensions).to_string();
    let members = session.json(MEMBERS, &[&extensions]).await?;
    Ok(members.unwrap_or_default())
}

/// What one side named, without such members as it alone named: they came, or go. One that only changes has
/// an old version that the other side names too.
pub(super) fn beside(named: &[Key], by_other: &[Key], members: &Members) -> Vec<Key> {
    let by_other: BTreeSet<&Key> = by_other.iter().collect();
    let is_member = |(place, key): &Key| {
        let catalog = catalogs::CATALOGS.get(*place);
        catalog.is_some_and(|catalog| {
            catalog.key == "t.oid" && members.contains(&(catalog.table.to_owned(), key.clone()))
        })
    };
    let kept = |key: &&Key| by_other.contains(key) || !is_member(key);
    named.iter().filter(kept).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A member that was there before and has another privilege now is looked at.
    #[test]
    fn members_that_come_or_go_are_left_out_and_those_that_change_are_not() {
        let function = catalogs::CATALOGS
            .iter()
            .position(|catalog| catalog.class == "function")
            .unwrap();
        let key = |key: &str| (function, key.to_owned());
        let member = |key: &str| ("pg_proc".to_owned(), key.to_owned());
        let members = BTreeSet::from([member("1"), member("2")]);
        let named = [key("1"), key("2"), key("3")];
        assert_eq!(beside(&named, &[key("2")], &members), [key("2"), key("3")]);
    }
}
