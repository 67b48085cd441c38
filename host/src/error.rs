//! The errors that a user meets: a code each, with an exit status and a text for `wasmigrate explain`.
//!
//! Imports nothing of ours, so every room may use it.

use std::fmt;

/// A result with the project's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

macro_rules! codes {
    ($($variant:ident $name:literal $exit:literal $help:literal;)*) => {
        /// What went wrong, as a name that stays the same over releases.
        // the texts speak of [limits], which is no link
        #[allow(rustdoc::broken_intra_doc_links)]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code {
            $(#[doc = $help] $variant,)*
        }

        impl Code {
            /// Every code, in the order of the table.
            pub const ALL: &'static [Code] = &[$(Code::$variant,)*];

            /// The name that is printed and that `explain` takes, for example `history-divergent`.
            pub fn name(self) -> &'static str {
                match self { $(Code::$variant => $name,)* }
            }

            /// The process's exit status.
            pub fn exit(self) -> u8 {
                match self { $(Code::$variant => $exit,)* }
            }

            /// What it means, why it happens and what to do, in a few sentences.
            pub fn help(self) -> &'static str {
                match self { $(Code::$variant => $help,)* }
            }
        }
    };
}

codes! {
    Internal "internal" 1
        "Something happened that wasmigrate did not foresee. The transaction was not committed. Please report it with the whole message.";
    Usage "usage" 2
        "The command line does not fit. `wasmigrate help VERB` lists what a verb takes.";
    ConfigInvalid "config-invalid" 2
        "wasmigrate.toml, an environment variable or a connection string holds something that is not understood. The message names the place.";
    EnvironmentUnknown "environment-unknown" 2
        "--env or WASMIGRATE_ENV names an environment that wasmigrate.toml does not have. An environment is a table [env.NAME] of that file; the hint lists those that are there. Nothing was done.";
    ConfigExists "config-exists" 2
        "`wasmigrate init` found a wasmigrate.toml in the folder and left it as it is. Edit that file; or move it away and say `init` again, then take over what you need.";
    DirectoryUnreadable "directory-unreadable" 2
        "The folder of migrations, or a file in it, cannot be read. It is named by --migrations or by `migrations` in wasmigrate.toml; `wasmigrate build` fills it.";
    MigrationUnknown "migration-unknown" 2
        "No migration has the version or name that was given. `wasmigrate status` lists them.";
    SettingInvalid "setting-invalid" 2
        "A --set, or [settings] or [env.NAME.settings] of wasmigrate.toml, names a setting that no migration declares, or a value that the manifest does not list. `wasmigrate inspect FILE` shows a component's settings.";
    SigningFailed "signing-failed" 2
        "The approval could not be signed: the key's file cannot be read or is no OpenSSH key of ed25519, it has a passphrase, or the command of --sign-with failed. The lock file is as it was. A key with a passphrase signs through the agent: --sign-with 'ssh-keygen -Y sign -n wasmigrate -f KEY.pub'.";
    BuildFailed "build-failed" 2
        "The guest crate could not be compiled or encoded. The compiler's own words are above.";
    PostgresNotFound "postgres-not-found" 2
        "The embedded PostgreSQL needs the server's programs (initdb, postgres) on this machine. They are looked for in PG_BIN, `pg_config --bindir`, PATH and /usr/lib/postgresql/*/bin.";
    PostgresFailed "postgres-failed" 2
        "The embedded PostgreSQL did not start. The server's own words are in the message.";

    HistoryMissing "history-missing" 4
        "The database has a migration applied for which there is no component in the folder. Put the component back, or point --migrations at the right folder.";
    HistoryDivergent "history-divergent" 4
        "A component differs from the one that was applied under its version: the digest in the history is another. Restore the component that was applied; to change the schema further, write a new migration.";
    HistoryLate "history-late" 4
        "A migration that was not applied has a lower version than one that was. It would run in another order here than elsewhere. Give it a version above the newest applied one and build it again, or say `--allow-late` where the order does not matter.";
    HistoryOrder "history-order" 4
        "A migration names versions in `after` that are not applied and would not be applied before it. Add them, or correct `after` in its migration.toml.";
    HistoryDependent "history-dependent" 4
        "The migration cannot be undone while an applied one depends on it by `after`. Undo the dependent one first.";
    HistoryForeign "history-foreign" 4
        "The database has a schema named `wasmigrate` without wasmigrate's own tables. It belongs to wasmigrate alone: rename what is there, or drop it if it is left over.";
    HistoryNewer "history-newer" 4
        "The schema `wasmigrate` in the database was written by a newer wasmigrate. Use that release or a newer one.";

    RunOpen "run-open" 4
        "Another migration is half-way: some of its steps are committed. `wasmigrate status` shows it. It is gone on with, undone or given up before anything else is done.";
    RunChanged "run-changed" 4
        "A migration is half-way, and its component, its mode or a setting is another than when it was begun. It goes on only as it began: restore the component, and leave --mode and --set away.";

    ComponentInvalid "component-invalid" 5
        "The file is no WebAssembly component, it is damaged or cut short, or it uses more of WebAssembly than a migration may. Build it again with `wasmigrate build`.";
    ComponentImport "component-import" 5
        "The component imports something outside wasmigrate's own interfaces, so it could reach more than the database. Build the guest for wasm32-unknown-unknown, not for wasm32-wasip1 or wasm32-wasip2: `wasmigrate build` does.";
    ComponentInterface "component-interface" 5
        "The component was built for another version of the wasmigrate:migration interface, or does not export `up`, `down` and `verify`, each without parameters and with `result<_, string>`. Build it again with an SDK that fits this wasmigrate.";
    ManifestMissing "manifest-missing" 5
        "The component carries no manifest section. Plain `cargo build` does not write one: build with `wasmigrate build`.";
    ManifestInvalid "manifest-invalid" 5
        "The manifest (migration.toml, or the section of a component) does not fit its format. The message names the line and the key.";
    VersionDuplicate "version-duplicate" 5
        "Two components in the folder have the same version. Remove one, or give it another version and build it again.";
    ModeUnsupported "mode-unsupported" 5
        "The migration's manifest does not allow the mode that was asked for.";

    LockMissing "lock-missing" 5
        "Approval is asked for, by --locked or by keys in [approval] of wasmigrate.toml, and there is no wasmigrate.lock beside it. `wasmigrate approve` writes it; it belongs into version control.";
    LockInvalid "lock-invalid" 5
        "wasmigrate.lock cannot be read, or is not in its format. `wasmigrate approve` alone writes it; restore it from version control.";
    LockEdited "lock-edited" 5
        "An entry of wasmigrate.lock is not as `wasmigrate approve` sealed it: a line of it was changed, added or taken out. Restore the file from version control, and approve again what is meant to change.";
    LockReordered "lock-reordered" 5
        "An entry of wasmigrate.lock is not in the place in which it was approved: an entry was moved. Restore the file from version control. Where two branches have approved, take one side of the file and approve what the other had added.";
    LockIncomplete "lock-incomplete" 5
        "An entry of wasmigrate.lock follows one that is not in the file: an entry was taken out. Restore the file from version control. Where two branches have approved, take one side of the file and approve what the other had added.";
    ApprovalMissing "approval-missing" 5
        "A component in the folder has a version for which wasmigrate.lock has no entry, so nobody has approved it. Look at it with `wasmigrate inspect`, then `wasmigrate approve`.";
    ApprovalVersion "approval-version" 5
        "The name of a component's file begins with another version than the component has. A component keeps the version under which it was approved.";
    ApprovalSuperseded "approval-superseded" 5
        "The component was approved once, and another one has been approved for its version since. The newest entry of a version is in force.";
    ApprovalGrants "approval-grants" 5
        "The component's grants are not those that were approved: `+` is what it asks for beyond them, `-` what it no longer asks for. After a review of what differs (`wasmigrate inspect --diff`), `wasmigrate approve --again`.";
    ApprovalDigest "approval-digest" 5
        "The component is not the one that was approved for its version: it was built again or changed. Restore it; or, after a review, `wasmigrate approve --again VERSION --reason TEXT`.";
    ApprovalOrder "approval-order" 5
        "The migration was approved to come after another one than it does in this folder. One was added or taken out between; it would run on another state than the one it was approved for.";
    ApprovalUnsigned "approval-unsigned" 5
        "[approval] in wasmigrate.toml names keys, and too few of them have signed the approval. `wasmigrate approve VERSION --key FILE` signs.";
    ApprovalKey "approval-key" 5
        "An approval is signed by a key that [approval] in wasmigrate.toml does not name. Where a key was taken out of the list, `wasmigrate approve --key FILE` with one that is there takes its signatures away and signs.";
    ApprovalSignature "approval-signature" 5
        "A signature in wasmigrate.lock is damaged, or of another text than the approval under which it stands.";

    StatementFailed "statement-failed" 6
        "PostgreSQL refused a statement of the migration. The transaction was rolled back; nothing of the migration remains.";
    CheckFailed "check-failed" 6
        "A requirement of the migration was not met. The transaction was rolled back; the finding is recorded.";
    MigrationFailed "migration-failed" 6
        "The migration itself gave up, with the text that is shown. The transaction was rolled back.";
    GuestPanicked "guest-panicked" 6
        "The migration's code panicked. The message and the place in its source are shown; the transaction was rolled back.";
    GuestTrapped "guest-trapped" 6
        "The migration's code did something that WebAssembly stops: it ran into `unreachable`, reached outside its memory, or handed the host data that is not well formed. The transaction was rolled back.";
    CallUnsupported "call-unsupported" 6
        "The migration asked the host for something that it cannot do. The transaction was rolled back.";
    RowsOpen "rows-open" 6
        "A statement changes a table that rows opened by the same migration still read. Drain or drop the rows first.";
    CopyOpen "copy-open" 6
        "The migration made a call while its bulk write was open, or left it unfinished. Finish the write first.";
    VerificationFailed "verification-failed" 6
        "The migration is applied and committed, but its `verify` found something missing or failed. The findings say what; `wasmigrate down` undoes the migration.";
    TestFailed "test-failed" 6
        "`wasmigrate test` ran a migration on a copy of its scratch database, and its `up` or its `down` failed there; the causes say why, and `first_code` in JSON names their code. Where tables are missing, --from FILE brings the schema that the migration expects.";
    TestSchemaDiffers "test-schema-differs" 6
        "`wasmigrate test` compared what pg_dump says of the schema: either `down` does not undo all that `up` did, or a second `up` behind it does not come to the same as the first. The lines that differ are shown: what begins with `-` is missing, with `+` too much. Mend `down`, or leave a statement of `up` away that nothing can undo.";

    Denied "denied" 7
        "The migration asked for something that no migration may do: transaction and session control, roles and privileges, dynamic SQL, CASCADE, the system's own tables, and what the guard does not know. The run was rolled back; no grant can allow it.";
    GrantDenied "grant-denied" 7
        "The migration asked for something that [grants] of its manifest does not name for this phase. The run was rolled back. If the migration is meant to do this, its author adds the line that the message names and builds it again.";
    CatalogChanged "catalog-changed" 7
        "Before it commits, wasmigrate compares the catalog as the migration's transaction sees it with what another session sees. Something differs that no grant explains: a trigger, a function, a privilege, an owner, a role. The run was rolled back, and the findings list each change, with the line of [grants] that would explain it, or that none can. A function or an event trigger that the migration set off may have done it.";
    LimitMemory "limit-memory" 7
        "The migration wanted more memory than allowed. `memory` in [limits] of its manifest; default 256MiB.";
    LimitGuestTime "limit-guest-time" 7
        "The migration's own code computed longer than allowed; the server's time does not count. `guest-time` in [limits]; default 60s.";
    LimitStack "limit-stack" 7
        "The migration's calls nest too deep. `stack` in [limits]; default 1MiB.";
    LimitCallBytes "limit-call-bytes" 7
        "One call handed the host more data than allowed. `call-bytes` in [limits]; default 64MiB.";
    LimitHandles "limit-handles" 7
        "The migration has more rows and bulk writes open at once than allowed. `handles` in [limits]; default 64.";
    LimitRows "limit-rows" 7
        "The migration read more rows than allowed. `rows` in [limits]; default 100000000.";
    LimitRowBytes "limit-row-bytes" 7
        "One batch of rows is larger than allowed. `row-bytes` in [limits]; default 64MiB.";
    LimitStatements "limit-statements" 7
        "The migration ran more statements and checks than allowed. `statements` in [limits]; default 1000000.";
    LimitStatementTime "limit-statement-time" 7
        "The server took longer over one statement than allowed, and stopped it. A batch of rows counts by itself; a bulk write counts from its opening to its end. `statement-time` in [limits]; default as `wall-time`.";
    LimitWallTime "limit-wall-time" 7
        "The run took longer than allowed, the server's time with it; the server was asked to stop. `wall-time` in [limits]; default 1day.";
    LimitLogBytes "limit-log-bytes" 7
        "The migration logged more than allowed. `log-bytes` in [limits]; default 1MiB.";

    LimitStepBytes "limit-step-bytes" 7
        "In stepwise mode what a call answers is kept in the journal, and it is larger than allowed. Go through a large table in `batches`, or let the server do the work in one statement. `step-bytes` in [limits]; default 1MiB.";

    DatabaseUnreachable "database-unreachable" 8
        "No PostgreSQL server answered at the address. Check DATABASE_URL or the PG* variables, and that the server runs and accepts connections from here.";
    DatabaseAuth "database-auth" 8
        "The server refused the login: a wrong or missing password, an unknown user, or a rule of pg_hba.conf. Passwords are read from the URL, PGPASSWORD and the password file.";
    DatabaseMissing "database-missing" 8
        "The server has no database of that name. Create it first, or correct the name.";
    DatabaseTls "database-tls" 8
        "The encrypted connection could not be made as sslmode asks: the server offers no TLS, or its certificate is not trusted or is for another host.";
    DatabaseLost "database-lost" 8
        "The connection broke in the middle of the run. The server rolled the transaction back; run again.";
    DatabasePrivilege "database-privilege" 8
        "The login may not do what wasmigrate itself needs, such as creating its schema. Grant CREATE on the database to it.";
    DatabaseReadOnly "database-read-only" 8
        "The database takes no writes: it is a standby, or default_transaction_read_only is on for it or for the login. Point DATABASE_URL at the primary, or turn the setting off.";
    ConnectionPooled "connection-pooled" 8
        "Between wasmigrate and the server is a pooler that hands each transaction to another session, such as PgBouncer with pool_mode = transaction: no lock could be held over it, and settings would reach others. Point DATABASE_URL at the server itself, or at a pool with pool_mode = session.";
    ServerTooOld "server-too-old" 8
        "wasmigrate runs on PostgreSQL 14 and newer.";
    LockNotAvailable "lock-not-available" 8
        "Another wasmigrate is at work on this database and did not end in time. Wait longer with --wait, or look at who holds the lock.";
    FenceNotAvailable "fence-not-available" 8
        "The server is still at a statement of an earlier run whose wasmigrate is gone. Wait longer with --wait, or end that backend with --fence-after.";
    ContentionGivenUp "contention" 8
        "A statement ran into a lock timeout, a deadlock or a serialization failure again and again. The transaction was rolled back; run again when the database is quieter.";

    HalfWay "half-way" 9
        "The migration runs in steps, some are committed, and it has stopped before its end; the first cause says why. `wasmigrate up` goes on where it stopped once the cause is mended, `wasmigrate down` undoes what it has done, and `wasmigrate status` shows where it stands.";
    JournalDivergent "journal-divergent" 9
        "The migration is run again after an interruption, and makes another call than before at the same place: what it does depends on something else than its calls' answers, or it was built for another interface. Nothing was done. Restore what began the run; or undo it with `wasmigrate down`, or give it up with `wasmigrate repair`.";

    Interrupted "interrupted" 130
        "The run was interrupted; the transaction was rolled back and nothing is half-way.";
}

impl Code {
    /// The code of a verification that failed with this one: what was denied, over a limit or out of reach is called
    /// so there too.
    pub fn of_verification(self) -> Code {
        match self.exit() {
            6 => Code::VerificationFailed,
            _ => self,
        }
    }

    /// The code of that name.
    pub fn from_name(name: &str) -> Option<Code> {
        Code::ALL.iter().copied().find(|code| code.name() == name)
    }
}

/// What PostgreSQL said beside its message. Source: PostgreSQL, "Error and Notice Message Fields".
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerReport {
    /// The five characters of SQLSTATE.
    pub sqlstate: String,
    /// DETAIL.
    pub detail: Option<String>,
    /// HINT.
    pub hint: Option<String>,
}

/// An error as a user meets it: a code, what failed, why, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error(Box<Parts>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Parts {
    code: Code,
    message: String,
    causes: Vec<String>,
    server: Option<ServerReport>,
    hint: Option<String>,
    stopped_by: Option<Code>,
}

impl Error {
    /// An error that says what failed: lower case, "failed to ...", naming the thing.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Error(Box::new(Parts {
            code,
            message: message.into(),
            causes: Vec::new(),
            server: None,
            hint: None,
            stopped_by: None,
        }))
    }

    /// Adds why it failed; several causes go from the nearest to the deepest.
    pub fn cause(mut self, cause: impl fmt::Display) -> Self {
        self.0.causes.push(cause.to_string());
        self
    }

    /// Adds what the server said.
    pub fn server(mut self, report: ServerReport) -> Self {
        self.0.server = Some(report);
        self
    }

    /// Adds what to do.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Adds the code of what stopped a run half-way.
    pub fn stopped_by(mut self, code: Code) -> Self {
        self.0.stopped_by = Some(code);
        self
    }

    /// The code of what went wrong first: that of what stopped a run half-way, or its own.
    pub fn first_code(&self) -> Code {
        self.0.stopped_by.unwrap_or(self.0.code)
    }

    /// The code.
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// What failed.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Why, from the nearest cause to the deepest.
    pub fn causes(&self) -> &[String] {
        &self.0.causes
    }

    /// What the server said, where it was the server that refused.
    pub fn server_report(&self) -> Option<&ServerReport> {
        self.0.server.as_ref()
    }

    /// What to do.
    pub fn hint_text(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())?;
        for cause in self.causes() {
            write!(f, ": {cause}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn code_names_are_unique_and_found_again() {
        let names: HashSet<_> = Code::ALL.iter().map(|code| code.name()).collect();
        assert_eq!(names.len(), Code::ALL.len());
        for code in Code::ALL {
            assert_eq!(Code::from_name(code.name()), Some(*code));
        }
    }

    #[test]
    fn display_joins_message_and_causes() {
        let error = Error::new(Code::Usage, "failed to read a")
            .cause("b")
            .cause("c");
        assert_eq!(error.to_string(), "failed to read a: b: c");
    }
}
