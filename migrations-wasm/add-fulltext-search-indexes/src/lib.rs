//! Full-text and trigram indexes for searching inventory, students, medications, allergies and conditions.
//!
//! The indexes on students, allergies and chronic conditions hold protected data. Undoing the migration drops
//! an extension only where this migration created it.

use wasmigrate_sdk::expr::{Expr, call, coalesce, concat, text};
use wasmigrate_sdk::prelude::*;

const INVENTORY: Table = Table::new("public", "inventory_items");
const STUDENTS: Table = Table::new("public", "students");
const MEDICATIONS: Table = Table::new("public", "medications");
const ALLERGIES: Table = Table::new("public", "allergies");
const CONDITIONS: Table = Table::new("public", "chronic_conditions");

const TRIGRAM: Extension = Extension::new("pg_trgm").schema("public");
const TRIGRAM_CLASS: &str = "gin_trgm_ops";
const UNACCENT: Extension = Extension::new("unaccent").schema("public");
const SEARCH_LIMIT_MS: u32 = 200;

struct AddFulltextSearchIndexes;

fn live() -> Expr {
    col("isActive").eq(true).and(col("deletedAt").is_null())
}

/// The words of some columns, as one English document.
fn document<const N: usize>(columns: [&'static str; N]) -> Expr {
    let word = |column| [text(" "), coalesce([col(column), text("")])];
    let words = columns.into_iter().flat_map(word).skip(1);
    call("to_tsvector", [text("english"), concat(words)])
}

fn medication_document() -> Expr {
    document(["name", "genericName"])
}

/// A GIN index over the live rows.
fn gin(table: Table, name: &str, key: impl Into<Key>) -> Index {
    Index::on(table, name)
        .method("gin")
        .key(key)
        .only_where(live())
}

fn medication_search() -> Index {
    gin(
        MEDICATIONS,
        "idx_medications_fulltext_search",
        medication_document(),
    )
}

fn indexes(trigrams: &OperatorClass) -> [Index; 11] {
    let inventory = document(["name", "description", "category", "supplier"]);
    let student = document(["firstName", "lastName"]);
    let like = |column: &'static str| Key::column(column).operator_class(trigrams);
    let given = |column: &'static str| col(column).is_not_null().and(live());
    [
        gin(INVENTORY, "idx_inventory_items_fulltext_search", inventory),
        gin(INVENTORY, "idx_inventory_items_name_trigram", like("name")),
        gin(INVENTORY, "idx_inventory_items_sku_search", like("sku")).only_where(given("sku")),
        gin(STUDENTS, "idx_students_fulltext_name_search", student),
        gin(STUDENTS, "idx_students_lastname_trigram", like("lastName")),
        gin(
            STUDENTS,
            "idx_students_number_trigram",
            like("studentNumber"),
        ),
        medication_search(),
        gin(MEDICATIONS, "idx_medications_name_trigram", like("name")),
        gin(
            MEDICATIONS,
            "idx_medications_generic_name_trigram",
            like("genericName"),
        )
        .only_where(given("genericName")),
        gin(ALLERGIES, "idx_allergies_allergen_search", like("allergen"))
            .only_where(col("active").eq(true).and(col("deletedAt").is_null())),
        gin(
            CONDITIONS,
            "idx_chronic_conditions_condition_search",
            like("condition"),
        ),
    ]
}

impl Migration for AddFulltextSearchIndexes {
    fn up() -> Result<()> {
        UNACCENT.ensure()?;
        Index::ensure_all(&indexes(&TRIGRAM.ensure()?.operator_class(TRIGRAM_CLASS)))
    }

    fn down() -> Result<()> {
        Index::drop_all(&indexes(&TRIGRAM.operator_class(TRIGRAM_CLASS)))?;
        TRIGRAM.drop_if_created()?;
        UNACCENT.drop_if_created()?;
        Ok(())
    }

    fn verify() -> Result<()> {
        UNACCENT.require()?;
        Index::require_all(&indexes(&TRIGRAM.require()?.operator_class(TRIGRAM_CLASS)))?;
        let (generic, document, live) = (Column::new("genericName"), medication_document(), live());
        let search = format!(
            "SELECT id, name, {generic} FROM {MEDICATIONS}
             WHERE {document} @@ to_tsquery('english', 'aspirin') AND {live}"
        );
        checks::require_plan_uses(&search, params![], &medication_search())?;
        checks::require_latency(
            "full-text search of medications",
            &search,
            params![],
            SEARCH_LIMIT_MS,
        )
    }
}

wasmigrate_sdk::export!(AddFulltextSearchIndexes);
