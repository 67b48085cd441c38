//! What the columns of a table take, as far as a COPY can be in binary format.

use tokio_postgres::types::{Oid, Type};

use super::binary::{Form, form};
use crate::database::failure::Failure;
use crate::database::session::Session;
use crate::database::{qualified, quoted};

/// The columns that a COPY into a plain table fills, with the oids of their types, or of the types that
/// their domains are over.
///
/// A COPY in binary format may have to go on as another one in text format. What the end of a statement
/// sets off must not tell the two from one: so no row for a table with a trigger on INSERT, but for
/// foreign keys to other tables.
const COLUMNS: &str = "SELECT json_agg(json_build_array(a.attname, \
        CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE t.oid END::int8, a.attgenerated <> '') \
        ORDER BY a.attnum)::text \
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
        JOIN pg_attribute a ON a.attrelid = c.oid JOIN pg_type t ON t.oid = a.atttypid \
    WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind = 'r' AND NOT c.relispartition \
        AND a.attnum > 0 AND NOT a.attisdropped AND has_schema_privilege(n.oid, 'USAGE') \
        AND NOT EXISTS (SELECT FROM pg_trigger g WHERE g.tgrelid = c.oid AND g.tgtype & 4 <> 0 \
            AND g.tgconstrrelid IN (0, c.oid))";

/// The forms of the columns; `None` where a COPY into them must be in text format.
pub(super) async fn forms(
    session: &Session,
    schema: &str,
    table: &str,
    columns: &[String],
) -> Result<Option<Vec<Form>>, Failure> {
    let found = session
        .json::<Vec<(String, Oid, bool)>>(COLUMNS, &[schema, table])
        .await?;
    let Some(names) = found.and_then(|found| filled(found, columns)) else {
        return Ok(None);
    };
    // the types that were found may not be the ones that the COPY meets: somebody may be altering the table.
    // Preparing a statement locks it until the transaction ends, and says the types under the lock
    let names: Vec<String> = names.iter().map(|name| quoted(name)).collect();
    let sql = format!(
        "SELECT {} FROM {}",
        names.join(", "),
        qualified(schema, table)
    );
    let statement = session.client().prepare(&sql).await?;
    let forms = statement
        .columns()
        .iter()
        .map(|column| form(column.type_()));
    Ok(forms.collect())
}

/// The columns that are filled; `None` where one of them is not there, or has no binary form.
fn filled(found: Vec<(String, Oid, bool)>, columns: &[String]) -> Option<Vec<String>> {
    let has_form = |oid| Type::from_oid(oid).is_some_and(|ty| form(&ty).is_some());
    if columns.is_empty() {
        let written = found.into_iter().filter(|(_, _, generated)| !generated);
        return written
            .map(|(name, oid, _)| has_form(oid).then_some(name))
            .collect();
    }
    let there = |name: &String| {
        found
            .iter()
            .any(|(known, oid, _)| known == name && has_form(*oid))
    };
    columns.iter().all(there).then(|| columns.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_columns_are_those_that_are_not_generated() {
        let found = || {
            vec![
                ("a".to_owned(), Type::INT4.oid(), false),
                ("b".to_owned(), Type::NUMERIC.oid(), true),
            ]
        };
        let names = |names: &[&str]| {
            names
                .iter()
                .map(|&name| name.to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(filled(found(), &[]), Some(names(&["a"])));
        assert_eq!(filled(found(), &names(&["a"])), Some(names(&["a"])));
        // no form, and no such column
        assert_eq!(filled(found(), &names(&["b"])), None);
        assert_eq!(filled(found(), &names(&["a", "c"])), None);
    }
}
