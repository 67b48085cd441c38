//! The work of the four migrations as plain SQL; the benches use it too.

const INDEXES: &str = include_str!("../../migrations-wasm/white-cross/expected-indexes.csv");

/// The repair that makes a placeholder for each missing medication.
pub const PLACEHOLDER: &str = r#"
INSERT INTO medications (id, name, "genericName", "dosageForm", strength, "isControlled", "requiresWitness", "isActive")
SELECT DISTINCT
  ml."medicationId",
  'Unknown Medication',
  'Unknown Generic',
  'Unknown Form',
  'Unknown Strength',
  false,
  false,
  false
FROM medication_logs ml
LEFT JOIN medications m ON ml."medicationId" = m.id
WHERE m.id IS NULL AND ml."medicationId" IS NOT NULL;"#;
const FOREIGN_KEY: &str = r#"
ALTER TABLE medication_logs ADD CONSTRAINT fk_medication_logs_medication_id
  FOREIGN KEY ("medicationId") REFERENCES medications (id) ON UPDATE CASCADE ON DELETE RESTRICT;
CREATE EXTENSION IF NOT EXISTS pg_trgm SCHEMA public;
CREATE EXTENSION IF NOT EXISTS unaccent SCHEMA public;"#;
/// The work of the four migrations in SQL, written by hand from the guide.
pub fn plain_sql(repair: &str) -> String {
    let indexes = INDEXES.lines().skip(1).map(|line| {
        let [_, table, index, method, keys, predicate] = &fields(line)[..] else {
            panic!("{line}");
        };
        let predicate = match &predicate[..] {
            "" => String::new(),
            predicate => format!(" WHERE {predicate}"),
        };
        format!("CREATE INDEX {index} ON {table} USING {method} ({keys}){predicate};\n")
    });
    format!("{repair}{FOREIGN_KEY}\n{}", indexes.collect::<String>())
}

/// The fields of a line of CSV, in which quotes stand doubled inside quotes.
fn fields(line: &str) -> Vec<String> {
    let (mut fields, mut quoted) = (vec![String::new()], false);
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                fields.last_mut().unwrap().push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            other => fields.last_mut().unwrap().push(other),
        }
    }
    fields
}
