//! Partial indexes for security monitoring of users: lockouts, failed logins, passwords, tokens.
//!
//! No predicate holds a time: PostgreSQL wants predicates IMMUTABLE. The planner uses the indexes for a query
//! with a time all the same, because a comparison implies NOT NULL.

use wasmigrate_sdk::expr::Expr;
use wasmigrate_sdk::prelude::*;

const USERS: Table = Table::new("public", "users");
const LOCKED_UNTIL: Column = Column::new("lockoutUntil");
const FAILURES: Column = Column::new("failedLoginAttempts");
const SECURITY_LIMIT_MS: u32 = 100;

struct AddUserSecurityIndexes;

fn not_deleted() -> Expr {
    col("deletedAt").is_null()
}

fn live() -> Expr {
    col("isActive").eq(true).and(not_deleted())
}

fn active_lockouts() -> Index {
    Index::on(USERS, "idx_users_active_lockouts")
        .columns([
            LOCKED_UNTIL,
            FAILURES,
            Column::new("email"),
            Column::new("id"),
        ])
        .only_where(col(LOCKED_UNTIL).is_not_null().and(live()))
}

fn indexes() -> [Index; 11] {
    [
        active_lockouts(),
        Index::on(USERS, "idx_users_failed_login_monitoring")
            .columns(["failedLoginAttempts", "lastLogin", "email", "id"])
            .only_where(col(FAILURES).ge(3).and(live())),
        Index::on(USERS, "idx_users_password_rotation")
            .columns([
                "lastPasswordChange",
                "mustChangePassword",
                "email",
                "id",
                "role",
            ])
            .only_where(live()),
        Index::on(USERS, "idx_users_force_password_change")
            .columns(["mustChangePassword", "isActive", "email", "id"])
            .only_where(col("mustChangePassword").eq(true).and(live())),
        Index::on(USERS, "idx_users_mfa_not_enabled")
            .columns(["mfaEnabled", "role", "createdAt", "email", "id"])
            .only_where(col("mfaEnabled").eq(false).and(live())),
        Index::on(USERS, "idx_users_two_factor_enabled")
            .columns(["twoFactorEnabled", "isActive", "role"])
            .only_where(col("twoFactorEnabled").eq(true).and(live())),
        Index::on(USERS, "idx_users_unverified_email")
            .columns(["emailVerified", "createdAt", "email", "id"])
            .only_where(col("emailVerified").eq(false).and(live())),
        Index::on(USERS, "idx_users_is_email_verified")
            .columns(["isEmailVerified", "createdAt", "email", "id"])
            .only_where(col("isEmailVerified").eq(false).and(live())),
        Index::on(USERS, "idx_users_password_reset_token")
            .columns(["passwordResetToken", "passwordResetExpires"])
            .only_where(col("passwordResetToken").is_not_null().and(not_deleted())),
        Index::on(USERS, "idx_users_email_verification_token")
            .columns(["emailVerificationToken", "emailVerificationExpires"])
            .only_where(
                col("emailVerificationToken")
                    .is_not_null()
                    .and(not_deleted()),
            ),
        Index::on(USERS, "idx_users_oauth_provider")
            .columns(["oauthProvider", "oauthProviderId", "email"])
            .only_where(
                col("oauthProvider")
                    .is_not_null()
                    .and(col("oauthProviderId").is_not_null())
                    .and(live()),
            ),
    ]
}

impl Migration for AddUserSecurityIndexes {
    fn up() -> Result<()> {
        Index::ensure_all(&indexes())
    }

    fn down() -> Result<()> {
        Index::drop_all(&indexes())
    }

    fn verify() -> Result<()> {
        Index::require_all(&indexes())?;
        let locked_out = format!(
            "SELECT id, email, {LOCKED_UNTIL}, {FAILURES} FROM {USERS} WHERE {LOCKED_UNTIL} > now() AND {}",
            live()
        );
        checks::require_plan_uses(&locked_out, params![], &active_lockouts())?;
        checks::require_latency(
            "users who are locked out",
            &locked_out,
            params![],
            SECURITY_LIMIT_MS,
        )
    }
}

wasmigrate_sdk::export!(AddUserSecurityIndexes);
