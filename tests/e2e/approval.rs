//! Approval: only what the lock file names runs, and what it does not is refused before anything is connected to.

use std::path::{Path, PathBuf};

use ssh_key::private::{Ed25519Keypair, KeypairData};
use ssh_key::{LineEnding, PrivateKey};
use wasmigrate::approval::{self, Lock};

use crate::guests::{Small, change_manifest, file_of};
use crate::support::{Database, Ended, bare};

/// Nobody listens there: a command that gets so far ends with `database-unreachable`.
const NOWHERE: &str = "postgres://nobody@127.0.0.1:1/none";

/// A project of two migrations.
struct Project {
    folder: tempfile::TempDir,
}

impl Project {
    fn new(lines: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let built = folder.path().join("built");
        std::fs::create_dir(&built).unwrap();
        Small::new("1", "one")
            .manifest("[grants]\nup = [\"read public.a\", \"read public.b\"]\n")
            .write(&built);
        Small::new("2", "two").write(&built);
        let text = format!("migrations = \"built\"\n{lines}");
        std::fs::write(folder.path().join("wasmigrate.toml"), text).unwrap();
        Project { folder }
    }

    /// One in which both are approved.
    fn approved(lines: &str) -> Self {
        let project = Project::new(lines);
        project.run(&["approve", "--by", "alice"]).ok();
        project
    }

    fn built(&self) -> PathBuf {
        self.folder.path().join("built")
    }

    fn lock(&self) -> PathBuf {
        self.folder.path().join("wasmigrate.lock")
    }

    fn text(&self) -> String {
        std::fs::read_to_string(self.lock()).unwrap()
    }

    fn edit(&self, from: &str, to: &str) {
        let text = self.text();
        assert!(text.contains(from), "{from}\n{text}");
        std::fs::write(self.lock(), text.replacen(from, to, 1)).unwrap();
    }

    fn run(&self, args: &[&str]) -> Ended {
        self.run_on(NOWHERE, args)
    }

    fn run_on(&self, url: &str, args: &[&str]) -> Ended {
        let mut command = bare(args);
        command
            .current_dir(self.folder.path())
            .env("DATABASE_URL", url);
        Ended::of(command.output().unwrap())
    }

    /// Each verb that would run a guest ends so, with no server in reach; and the check does too.
    #[track_caller]
    fn refused(&self, code: &str) -> Ended {
        for verb in [&["down", "--all"][..], &["verify"]] {
            self.run(verb).failed(5, code);
        }
        let checked = self.run(&["approve", "--check"]);
        assert_eq!(checked.status, 5, "{checked:?}");
        let said = checked.stdout + &checked.stderr;
        assert!(said.contains(code), "{said}");
        self.run(&["up"]).failed(5, code)
    }

    /// Nothing but the missing server stands in the way.
    #[track_caller]
    fn passes(&self) {
        for verb in [&["up"][..], &["down", "--all"], &["verify"]] {
            self.run(verb).failed(8, "database-unreachable");
        }
        self.run(&["approve", "--check"]).ok();
    }
}

/// A key of OpenSSH made of one byte: the file of the private key, and the line of the public one.
fn key(folder: &Path, seed: u8) -> (String, String) {
    let pair = KeypairData::from(Ed25519Keypair::from_seed(&[seed; 32]));
    let key = PrivateKey::new(pair, "somebody").unwrap();
    let file = folder.join(format!("key{seed}"));
    std::fs::write(&file, key.to_openssh(LineEnding::LF).unwrap()).unwrap();
    let public = key.public_key().to_openssh().unwrap();
    (file.to_str().unwrap().to_owned(), public)
}

#[test]
fn without_a_lock_file_everything_runs_unless_it_is_asked_for() {
    let project = Project::new("");
    project.run(&["up"]).failed(8, "database-unreachable");
    let asked = project.run(&["up", "--locked"]).failed(5, "lock-missing");
    assert!(asked.stderr.contains("wasmigrate approve"), "{asked:?}");
    project
        .run(&["approve", "--check"])
        .failed(5, "lock-missing");
}

#[test]
fn what_is_approved_runs() {
    let project = Project::new("");
    let said = project
        .run(&["approve", "--by", "alice", "--reason", "reviewed"])
        .ok();
    assert!(said.stdout.contains("1 one: approved\n"), "{said:?}");
    assert!(said.stdout.contains("  up: read public.b"), "{said:?}");
    project.passes();
    let database = Database::empty();
    database.sql("CREATE TABLE public.a (id int)");
    let up = project.run_on(&database.url, &["up", "--locked"]).ok();
    assert!(up.stdout.contains("applied, verified"), "{up:?}");
    project.run_on(&database.url, &["verify", "--locked"]).ok();
    project
        .run_on(&database.url, &["down", "--all", "--locked"])
        .ok();
    let again = project.run(&["approve"]).ok();
    assert!(again.stdout.contains("approved already"), "{again:?}");
}

#[test]
fn a_component_of_which_one_bit_differs_is_refused() {
    let project = Project::approved("");
    let file = file_of(&project.built(), "2");
    let bytes = std::fs::read(&file).unwrap();
    let name = bytes.windows(3).rposition(|word| word == b"two").unwrap();
    let mut flipped = bytes.clone();
    flipped[name + 2] ^= 1;
    std::fs::write(&file, &flipped).unwrap();
    project.refused("approval-digest");
    std::fs::write(&file, bytes).unwrap();
    project.passes();
}

#[test]
fn an_added_grant_is_refused_and_named() {
    let project = Project::approved("");
    change_manifest(&file_of(&project.built(), "1"), |text| {
        text.replace(
            "\"read public.a\"",
            "\"read public.a\", \"delete public.a\"",
        )
    });
    let said = project.refused("approval-grants");
    assert!(said.stderr.contains("+ up: delete public.a"), "{said:?}");
    let again = project
        .run(&["approve", "--again", "1", "--reason", "it must delete"])
        .ok();
    assert!(again.stdout.contains("1 one: approved again"), "{again:?}");
    assert!(again.stdout.contains("+ up: delete public.a"), "{again:?}");
    project.passes();
    // the old entry is kept, and the new one says why
    let text = project.text();
    assert_eq!(text.matches("version = \"1\"").count(), 2, "{text}");
    assert!(text.contains("it must delete"), "{text}");
}

#[test]
fn a_component_that_was_approved_before_the_one_in_force_is_refused() {
    let project = Project::approved("");
    let file = file_of(&project.built(), "1");
    let old = std::fs::read(&file).unwrap();
    change_manifest(&file, |text| text.replace("public.a", "public.c"));
    project
        .run(&["approve", "--again", "1", "--reason", "another table"])
        .ok();
    project.passes();
    std::fs::write(&file, &old).unwrap();
    project.refused("approval-superseded");
    // nor does it pass for another version, by its file's name
    std::fs::remove_file(&file).unwrap();
    std::fs::write(project.built().join("2-two.wasm"), &old).unwrap();
    project.refused("approval-version");
}

#[test]
fn an_unknown_version_is_refused_and_one_above_the_goal_is_not_asked_for() {
    let project = Project::approved("");
    Small::new("3", "three").write(&project.built());
    project.refused("approval-missing");
    project
        .run(&["up", "--to", "2"])
        .failed(8, "database-unreachable");
    project
        .run(&["down", "--only", "two"])
        .failed(8, "database-unreachable");
    project.run(&["approve", "3"]).ok();
    project.passes();
}

#[test]
fn another_predecessor_is_refused() {
    let project = Project::approved("");
    let file = file_of(&project.built(), "1");
    let bytes = std::fs::read(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    project.refused("approval-order");
    let again = project.run(&["approve", "--again", "2", "--reason", "alone"]);
    let differs = "2 two: approved again\n  + follows: nothing\n  - follows: version 1\n";
    assert_eq!(again.ok().stdout, differs);
    project.passes();
    std::fs::write(&file, bytes).unwrap();
    project.refused("approval-order");
    let restored = ["approve", "--again", "2", "--reason", "with the first"];
    project.run(&restored).ok();
    project.passes();
}

#[test]
fn a_lock_file_that_was_edited_is_refused() {
    let project = Project::approved("");
    let whole = project.text();
    let restored = || std::fs::write(project.lock(), &whole).unwrap();
    project.edit(
        "    \"read public.a\",\n",
        "    \"read public.a\",\n    \"delete public.a\",\n",
    );
    project.refused("lock-edited");
    restored();
    project.edit("    \"read public.a\",\n", "");
    project.refused("lock-edited");
    restored();
    project.edit("approver = \"alice\"\n", "");
    project.refused("lock-invalid");
    restored();
    let (head, two) = whole.split_at(whole.rfind("[[entry]]").unwrap());
    let (head, one) = head.split_at(head.find("[[entry]]").unwrap());
    std::fs::write(project.lock(), format!("{head}{two}\n{one}")).unwrap();
    project.refused("lock-reordered");
    std::fs::write(project.lock(), format!("{head}{two}")).unwrap();
    project.refused("lock-incomplete");
    // it is not added to either
    project.run(&["approve"]).failed(5, "lock-incomplete");
    restored();
    project.passes();
}

#[test]
fn a_link_to_nothing_is_no_missing_file_and_one_to_a_file_is_kept() {
    let project = Project::approved("");
    let elsewhere = project.folder.path().join("elsewhere");
    std::fs::rename(project.lock(), &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, project.lock()).unwrap();
    project.passes();
    Small::new("3", "three").write(&project.built());
    project.run(&["approve"]).ok();
    assert!(project.lock().is_symlink());
    project.passes();
    std::fs::remove_file(elsewhere).unwrap();
    project.run(&["up"]).failed(5, "lock-invalid");
}

#[test]
fn approvals_at_once_wait_for_each_other() {
    let project = Project::new("");
    let versions = ["1", "2", "3", "4", "5", "6"];
    for version in &versions[2..] {
        Small::new(version, "more").write(&project.built());
    }
    std::thread::scope(|scope| {
        let project = &project;
        let approve = |version| scope.spawn(move || project.run(&["approve", version]).ok());
        let all: Vec<_> = versions.into_iter().map(approve).collect();
        all.into_iter().for_each(|one| _ = one.join().unwrap());
    });
    project.passes();
}

#[test]
fn where_keys_are_named_so_many_must_sign() {
    let keys = tempfile::tempdir().unwrap();
    let [alice, bob, eve] = [1, 2, 3].map(|seed| key(keys.path(), seed));
    let lines = format!(
        "[approval]\nkeys = [\"{}\", \"{}\"]\nthreshold = 2\n",
        alice.1, bob.1
    );
    let project = Project::new(&lines);
    project.refused("lock-missing");
    project.run(&["approve"]).ok();
    project.refused("approval-unsigned");
    let said = project.run(&["approve", "--key", &alice.0]).ok();
    assert!(said.stdout.contains("signed by SHA256:"), "{said:?}");
    assert!(said.stdout.contains("2 must sign"), "{said:?}");
    // who signs sees what
    assert!(said.stdout.contains("up: read public.b"), "{said:?}");
    assert!(said.stdout.contains("  approver: "), "{said:?}");
    // the same person twice is one
    project.run(&["approve", "--key", &alice.0]).ok();
    project.refused("approval-unsigned");
    let eves = project.run(&["approve", "--key", &eve.0]);
    eves.failed(2, "signing-failed");
    project.run(&["approve", "--key", &bob.0]).ok();
    project.passes();
    // without the second key's right to sign, there is one too few, by somebody unknown
    let file = project.folder.path().join("wasmigrate.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace(&bob.1, &eve.1)).unwrap();
    project.refused("approval-key");
    // who is there signs, and with that the signature goes of who is no longer
    project.run(&["approve", "--key", &eve.0]).ok();
    project.passes();
    std::fs::write(&file, text).unwrap();
    project.refused("approval-key");
    project.run(&["approve", "--key", &bob.0]).ok();
    project.passes();
    // a signature of another entry
    let text = project.text();
    let first = text.find("-----BEGIN").unwrap();
    let end = text[first..].find("-----END").unwrap() + first;
    let last = text.rfind("-----BEGIN").unwrap();
    let last_end = text[last..].find("-----END").unwrap() + last;
    let mixed = format!(
        "{}{}{}",
        &text[..last],
        &text[first..end],
        &text[last_end..]
    );
    std::fs::write(project.lock(), mixed).unwrap();
    project.refused("approval-signature");
}

#[test]
fn a_command_signs_as_well_as_a_file() {
    let keys = tempfile::tempdir().unwrap();
    let (file, public) = key(keys.path(), 1);
    let project = Project::approved(&format!("[approval]\nkeys = [\"{public}\"]\n"));
    let sign_with =
        |command: &str, version: &str| project.run(&["approve", version, "--sign-with", command]);
    let failed = sign_with("exit 3", "1").failed(2, "signing-failed");
    assert!(failed.stderr.contains("exit status: 3"), "{failed:?}");
    sign_with("echo no signature", "1").failed(2, "signing-failed");
    // what an agent's command would write
    let lock = Lock::parse("lock", &project.text()).unwrap();
    let private = std::fs::read(file).unwrap();
    for version in ["1", "2"] {
        let entry = lock.current(&version.parse().unwrap()).unwrap();
        let signature = approval::sign(&private, entry).unwrap();
        std::fs::write(keys.path().join(version), signature.signature).unwrap();
    }
    let command = |version: &str| {
        format!(
            "grep -q '^digest=' && cat {}",
            keys.path().join(version).display()
        )
    };
    let other = sign_with(&command("2"), "1").failed(2, "signing-failed");
    assert!(other.stderr.contains("of another text"), "{other:?}");
    for version in ["1", "2"] {
        let said = sign_with(&command(version), version).ok();
        assert!(said.stdout.contains("signed"), "{said:?}");
    }
    project.passes();
}

#[test]
fn what_cannot_be_approved_leaves_the_file_as_it_is() {
    let project = Project::approved("");
    let before = project.text();
    project
        .run(&["approve", "7"])
        .failed(2, "migration-unknown");
    let same = project.run(&["approve", "--again", "1", "--reason", "x"]);
    same.failed(2, "usage");
    let hidden = [
        "approve",
        "--again",
        "1",
        "--reason",
        "x\nup=delete public.a",
    ];
    project.run(&hidden).failed(2, "usage");
    change_manifest(&file_of(&project.built(), "2"), |text| {
        format!("{text}# more\n")
    });
    project.run(&["approve"]).failed(5, "approval-digest");
    let missing = project.run(&[
        "approve", "--again", "2", "--reason", "x", "--key", "no-such",
    ]);
    missing.failed(2, "signing-failed");
    assert_eq!(project.text(), before);
}

#[test]
fn a_check_tells_each_as_json() {
    let project = Project::approved("");
    Small::new("3", "three").write(&project.built());
    let checked = project.run(&["approve", "--check", "--json"]);
    assert_eq!(checked.status, 5);
    let lines = checked.json();
    assert_eq!(lines[0]["approver"], "alice");
    assert_eq!(lines[0]["approved"], true);
    assert_eq!(lines[2]["approved"], false);
    assert_eq!(lines[2]["error"]["code"], "approval-missing", "{lines}");
}

#[test]
fn a_wrong_key_in_the_projects_file_is_named() {
    for (lines, words) in [
        ("keys = [\"ssh-ed25519 AAAA\"]", "(`approval.keys`)"),
        ("threshold = 1", "(`approval.threshold`)"),
        ("key = []", "did you mean `keys`?"),
    ] {
        let project = Project::new(&format!("[approval]\n{lines}\n"));
        let said = project.run(&["up"]).failed(2, "config-invalid");
        assert!(said.stderr.contains(words), "{said:?}");
    }
}
