//! Indexes for the everyday questions about allergies, chronic conditions and student medications.

use wasmigrate_sdk::expr::Expr;
use wasmigrate_sdk::prelude::*;

const ALLERGIES: Table = Table::new("public", "allergies");
const CONDITIONS: Table = Table::new("public", "chronic_conditions");
const STUDENT_MEDICATIONS: Table = Table::new("public", "student_medications");

struct AddMissingCriticalIndexes;

fn not_deleted() -> Expr {
    col("deletedAt").is_null()
}

fn on_allergies() -> [Index; 4] {
    let live = || col("active").eq(true).and(not_deleted());
    [
        Index::on(ALLERGIES, "idx_allergies_severity_active").columns([
            "severity",
            "active",
            "deletedAt",
        ]),
        Index::on(ALLERGIES, "idx_allergies_student_type_active").columns([
            "studentId",
            "allergyType",
            "active",
        ]),
        Index::on(ALLERGIES, "idx_allergies_epipen_expiration")
            .columns(["epiPenExpiration", "epiPenRequired", "active"])
            .only_where(col("epiPenRequired").eq(true).and(live())),
        Index::on(ALLERGIES, "idx_allergies_unverified")
            .columns(["verified", "severity", "createdAt"])
            .only_where(col("verified").eq(false).and(live())),
    ]
}

fn on_chronic_conditions() -> [Index; 4] {
    let live = || col("isActive").eq(true).and(not_deleted());
    [
        Index::on(CONDITIONS, "idx_chronic_conditions_iep_compliance")
            .columns(["requiresIEP", "status", "isActive", "nextReviewDate"])
            .only_where(col("requiresIEP").eq(true).and(live())),
        Index::on(CONDITIONS, "idx_chronic_conditions_504_compliance")
            .columns(["requires504", "status", "isActive", "nextReviewDate"])
            .only_where(col("requires504").eq(true).and(live())),
        Index::on(CONDITIONS, "idx_chronic_conditions_student_status").columns([
            "studentId",
            "status",
            "isActive",
            "deletedAt",
        ]),
        Index::on(CONDITIONS, "idx_chronic_conditions_review_tracking")
            .columns(["nextReviewDate", "isActive", "status"])
            .only_where(col("nextReviewDate").is_not_null().and(live())),
    ]
}

fn on_student_medications() -> [Index; 4] {
    let active = || col("isActive").eq(true);
    [
        Index::on(STUDENT_MEDICATIONS, "idx_student_medications_active_dates").columns([
            "isActive",
            "startDate",
            "endDate",
            "studentId",
        ]),
        Index::on(STUDENT_MEDICATIONS, "idx_student_medications_student_med").columns([
            "studentId",
            "medicationId",
            "isActive",
        ]),
        Index::on(
            STUDENT_MEDICATIONS,
            "idx_student_medications_refill_tracking",
        )
        .columns(["refillsRemaining", "studentId", "medicationId"])
        .only_where(
            active()
                .and(col("refillsRemaining").is_not_null())
                .and(col("refillsRemaining").le(2)),
        ),
        Index::on(
            STUDENT_MEDICATIONS,
            "idx_student_medications_end_date_monitoring",
        )
        .columns(["endDate", "isActive", "studentId"])
        .only_where(col("endDate").is_not_null().and(active())),
    ]
}

fn indexes() -> Vec<Index> {
    [
        on_allergies(),
        on_chronic_conditions(),
        on_student_medications(),
    ]
    .concat()
}

impl Migration for AddMissingCriticalIndexes {
    fn up() -> Result<()> {
        Index::ensure_all(&indexes())
    }

    fn down() -> Result<()> {
        Index::drop_all(&indexes())
    }

    fn verify() -> Result<()> {
        Index::require_all(&indexes())
    }
}

wasmigrate_sdk::export!(AddMissingCriticalIndexes);
