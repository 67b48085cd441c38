//! The argument that verbs share which run what a reviewer approved.

use crate::error::Result;
use crate::migration::Migration;
use crate::operate::approve::pin;
use crate::project::Project;

/// Whether to insist on approval
#[derive(Debug, clap::Args)]
pub struct Approval {
    /// Run only what wasmigrate.lock approves, also where there is no such file; where there is one, that goes without
    /// saying
    #[arg(long)]
    locked: bool,
}

impl Approval {
    /// Refuses the chosen migrations that are not approved.
    pub fn check(
        &self,
        project: &Project,
        migrations: &[Migration],
        chosen: impl Fn(&Migration) -> bool,
    ) -> Result<()> {
        let required = project.choices.approval_required.unwrap_or(false);
        pin(project, self.locked || required, migrations, chosen)
    }
}
