//! Gives each medication log the name of its medication, trimmed and in lower case, so that reports need not join
//! millions of logs with the medications.
//!
//! Run it in stepwise mode on a large table: each range of logs is a transaction of its own, and an interrupted
//! run goes on with the range that was not committed. Undoing it drops the column. Logs that come in meanwhile are the
//! application's to name: those made before the run began are what it promises.

use wasmigrate_sdk::prelude::*;

const LOGS: Table = Table::new("public", "medication_logs");
const MEDICATIONS: Table = Table::new("public", "medications");
const MEDICATION_ID: Column = Column::new("medicationId");
const NAME: Column = Column::new("medicationName");
const CREATED: Column = Column::new("createdAt");
const BEGAN: &str = "began";
const NORMALISED: &str = "lower(btrim(medication.name))";

struct NormalizeMedicationNames;

impl Migration for NormalizeMedicationNames {
    fn up() -> Result<()> {
        if checks::column(LOGS, NAME.name())?.is_none() {
            execute(
                format!("ALTER TABLE {LOGS} ADD COLUMN {NAME} varchar(200)"),
                params![],
            )?;
        }
        let began: String = query_scalar("SELECT now()::text", params![])?;
        remember(BEGAN, &began)?;
        let mut named = 0;
        Batches::over(LOGS, ["id"]).rows(2_000).each(|range| {
            let sql = format!(
                "UPDATE {LOGS} AS log SET {NAME} = {NORMALISED} FROM {MEDICATIONS} AS medication
                 WHERE medication.id = log.{MEDICATION_ID} AND {}",
                range.filter("log", 1)
            );
            named += execute(sql, &range.params())?;
            Ok(())
        })?;
        // logs of transactions that were open as their range was gone through
        let late = format!(
            "UPDATE {LOGS} AS log SET {NAME} = {NORMALISED} FROM {MEDICATIONS} AS medication
             WHERE medication.id = log.{MEDICATION_ID} AND log.{NAME} IS NULL AND log.{CREATED} <= $1::timestamptz"
        );
        named += execute(late, params![began])?;
        info!("{named} medication_logs records have the name of their medication");
        Ok(())
    }

    fn down() -> Result<()> {
        if checks::column(LOGS, NAME.name())?.is_some() {
            execute(format!("ALTER TABLE {LOGS} DROP COLUMN {NAME}"), params![])?;
        }
        Ok(())
    }

    fn verify() -> Result<()> {
        let began = recall(BEGAN)?.unwrap_or_else(|| "infinity".to_owned());
        checks::require_no_rows(
            "every medication_logs record from before has a normalised name, if its medication is known",
            format!(
                "SELECT log.id FROM {LOGS} AS log JOIN {MEDICATIONS} AS medication
                 ON medication.id = log.{MEDICATION_ID} WHERE log.{CREATED} <= $1::timestamptz
                 AND (log.{NAME} IS NULL OR log.{NAME} <> lower(btrim(log.{NAME})))"
            ),
            params![began],
        )
    }
}

wasmigrate_sdk::export!(NormalizeMedicationNames);
