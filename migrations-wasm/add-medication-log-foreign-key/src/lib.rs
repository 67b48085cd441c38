//! Gives `medication_logs` its foreign key to `medications`, after repairing the rows that violate it.
//!
//! Undoing it drops the foreign key. The repair stays: rows that were deleted don't come back (take them
//! from the backup), and placeholder medications stay, because log rows refer to them.

use wasmigrate_sdk::prelude::*;

const LOGS: Table = Table::new("public", "medication_logs");
const MEDICATIONS: Table = Table::new("public", "medications");
const MEDICATION_ID: Column = Column::new("medicationId");

setting! {
    /// What becomes of log rows whose medication does not exist.
    pub enum Orphans = "orphans" {
        /// They are kept, and each missing medication gets an inactive 'Unknown Medication' in its place.
        Placeholder = "placeholder",
        /// They are deleted.
        Delete = "delete",
        /// The migration stops.
        Refuse = "refuse",
    }
}

struct AddMedicationLogForeignKey;

fn key() -> ForeignKey {
    ForeignKey::on(LOGS, "fk_medication_logs_medication_id")
        .columns([MEDICATION_ID])
        .references(MEDICATIONS, ["id"])
        .on_update(KeyAction::Cascade)
        .on_delete(KeyAction::Restrict)
}

/// The orphans among `{LOGS} AS log`. A log row without a medication is none.
fn orphaned() -> String {
    format!(
        "log.{MEDICATION_ID} IS NOT NULL
         AND NOT EXISTS (SELECT 1 FROM {MEDICATIONS} AS medication WHERE medication.id = log.{MEDICATION_ID})"
    )
}

fn insert_placeholders() -> Result<u64> {
    let columns = [
        "genericName",
        "dosageForm",
        "isControlled",
        "requiresWitness",
        "isActive",
    ];
    let [generic, form, controlled, witness, active] = columns.map(Column::new);
    let sql = format!(
        "INSERT INTO {MEDICATIONS}
                (id, name, {generic}, {form}, strength, {controlled}, {witness}, {active})
         SELECT DISTINCT log.{MEDICATION_ID}, 'Unknown Medication', 'Unknown Generic',
                'Unknown Form', 'Unknown Strength', false, false, false
         FROM {LOGS} AS log WHERE {}",
        orphaned()
    );
    execute(sql, params![])
}

fn delete_orphans() -> Result<u64> {
    execute(
        format!("DELETE FROM {LOGS} AS log WHERE {}", orphaned()),
        params![],
    )
}

impl Migration for AddMedicationLogForeignKey {
    fn up() -> Result<()> {
        let missing = format!("count(DISTINCT log.{MEDICATION_ID})");
        let count = format!(
            "SELECT count(*), {missing} FROM {LOGS} AS log WHERE {}",
            orphaned()
        );
        let (rows, medications): (i64, i64) = query_one(count, params![])?;
        info!("{rows} medication_logs records refer to {medications} missing medications");

        let orphans = Orphans::get()?;
        if rows > 0 && orphans == Orphans::Refuse {
            bail!(
                "Data integrity violation: {rows} medication_logs records reference non-existent medications"
            );
        }
        // before the repair, so that no new orphan can come in behind it
        key().enforce()?;
        match orphans {
            Orphans::Placeholder => info!("{} placeholders inserted", insert_placeholders()?),
            Orphans::Delete => warn!("{} medication_logs records deleted", delete_orphans()?),
            Orphans::Refuse => {}
        }
        key().ensure()?;
        Ok(())
    }

    fn down() -> Result<()> {
        key().drop()?;
        Ok(())
    }

    fn verify() -> Result<()> {
        key().require()?;
        checks::require_no_rows(
            "every medication_logs record with a medication refers to one that exists",
            format!(
                "SELECT log.{MEDICATION_ID} FROM {LOGS} AS log WHERE {}",
                orphaned()
            ),
            params![],
        )
    }
}

wasmigrate_sdk::export!(AddMedicationLogForeignKey);
