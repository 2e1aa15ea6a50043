//! The texts that `--help` teaches with, and which flags it shows where.

use clap::Command;

/// Flags that mean something to every command.
const EVERYWHERE: [&str; 6] = ["format", "json_into", "color", "quiet", "verbose", "log_file"];

/// The command with every flag in place, each hidden from the help of the commands that do not
/// look at it. It is accepted there all the same: flags are the same everywhere.
pub fn relevant_flags(mut command: Command) -> Command {
    command.build();
    for verb in command.get_subcommands_mut() {
        let name = verb.get_name().to_owned();
        let of_verb: &[&str] = match name.as_str() {
            "plan" | "apply" | "resume" | "undo" | "verify" | "drift" | "export" | "config" => {
                continue;
            }
            "lint" => &["inventory", "playbook", "credentials", "rules", "var", "var_file"],
            "inventory" => &["inventory", "var", "var_file", "danger_basic_over_http", "limit"],
            "explain" => &["inventory", "playbook", "credentials", "rules", "var", "run_dir"],
            "show" => &["full", "host"],
            "approve" => &["full", "host", "yes", "no_input"],
            "status" => &["run_dir", "full"],
            "runs" | "watch" | "lock" | "pause" | "promote" | "abort" => &["run_dir"],
            "rules" => &["rules"],
            _ => &[],
        };
        hide(verb, of_verb);
    }
    command
}

fn hide(verb: &mut Command, shown: &[&str]) {
    let taken = std::mem::take(verb);
    *verb = taken.mut_args(|flag| {
        let id = flag.get_id().as_str();
        // Only the shared flags have a heading; a command's own flags are always shown.
        let is_shared = flag.get_help_heading().is_some();
        let is_idle = is_shared && !EVERYWHERE.contains(&id) && !shown.contains(&id);
        flag.hide(is_idle)
    });
    for verb in verb.get_subcommands_mut() {
        hide(verb, shown);
    }
}

pub const ABOUT: &str = "\
Roll the Microsoft RMS connector configuration out to Exchange, SharePoint and file servers.

rmsfleet reads every host over WS-Management, compares it with the rule pack, shows what would \
change, and carries exactly that out: compare, write, read back, restart where the role needs it, \
one failure domain at a time. Nothing is installed on a host.";

pub const EXAMPLES: &str = "\
Start here:
  rmsfleet apply --lab                  watch eight simulated servers being configured
  rmsfleet init                         write a commented starter inventory
  rmsfleet plan -i inventory.yml        read every host and show what would change

More with --help.";

pub const EXAMPLES_LONG: &str = "\
Start here:
  rmsfleet apply --lab                  watch eight simulated servers being configured
  rmsfleet init                         write a commented starter inventory
  rmsfleet lint                         check the files, contact nothing
  rmsfleet plan -o change.rmsplan       read every host, show and seal what would change
  rmsfleet show change.rmsplan          look at it again
  rmsfleet apply change.rmsplan         carry out exactly that
  rmsfleet runs list                    what was done, and how it ended

Every flag with a value can come from the environment as RMSFLEET_<FLAG> (RMSFLEET_INVENTORY,
RMSFLEET_RUN_DIR ...), most from rmsfleet.toml too (rmsfleet config show); consent (--yes, --confirm, --waive) is only ever given on the command line.

Exit codes:
    0 ok           success; for plan also when changes exist
    1 internal     a fault of the tool itself
    2 changes      with --detailed-exitcode: differences were found
    3 refused      a host moved since the plan, or the plan expired, was used or was altered
    4 partial      the run completed, with failures within the budget
    5 aborted      the failure budget or a gate stopped the run
    6 unreachable  only unreachable hosts, nothing failed
    7 blocked      blockers in the plan, or files that do not fit together (lint)
    8 paused       waiting for a confirmation or a person
    9 window       the window closed, or would be overrun; resume goes on in the next
   10 locked       another run holds the lock
   11 undo-incomplete  what a run wrote is not all taken back and read back
   64 usage        bad flags or arguments
   65 data         an inventory, playbook, rule pack or plan file is invalid
   69 no-match     a host pattern matched nothing
   77 auth         credentials were rejected; stopped early to protect the account
  130 interrupted  stopped by the user after a clean stop";

pub const INIT: &str = "\
Writes inventory.yml, playbook.yml and credentials.yml; refuses to overwrite any of them.

Next: edit inventory.yml, then rmsfleet lint";

pub const LINT: &str = "\
Examples:
  rmsfleet lint
  rmsfleet lint -i inventories/prod.yml -p playbooks/prod.yml

All errors of a file come in one go. Next: rmsfleet plan";

pub const DOCTOR: &str = "\
Examples:
  rmsfleet doctor FS07                   one host, from its name to its rights
  rmsfleet doctor -l exchange            every Exchange server
  rmsfleet doctor --lab                  the simulated farm

Every check says what was seen, and when it fails what to do; what rests on a failed check is
skipped. Nothing is written, and after a refused logon the account is not tried again.
Exit 0: all well; 6: unreachable; 7: something is wrong; 77: a logon was refused.
Next: rmsfleet plan";

pub const PLAN: &str = "\
Examples:
  rmsfleet plan                          show what would change
  rmsfleet plan -o change.rmsplan        and seal it, to apply exactly that later
  rmsfleet plan -l 'fci:!FS07'           file servers without FS07
  rmsfleet plan --detailed-exitcode      exit 2 if anything would change
  rmsfleet plan --lab                    against the simulated farm

What could not be read is unknown and blocks its host; it is never taken as absent.
Next: rmsfleet show FILE, rmsfleet apply FILE";

pub const SHOW: &str = "\
Examples:
  rmsfleet show change.rmsplan
  rmsfleet show change.rmsplan --full       every value of every host
  rmsfleet show change.rmsplan --host FS03  one host

Next: rmsfleet apply FILE";

pub const APPROVE: &str = "\
Examples:
  rmsfleet approve change.rmsplan                          with ~/.ssh/id_ed25519
  rmsfleet approve change.rmsplan --key ~/.ssh/id_sk.pub   with the agent or a security key
  ssh-keygen -Y sign -n rmsfleet-plan -f KEY change.rmsplan     the same, without rmsfleet

Who may sign, and how many must, stands in the playbook that the plan was made with:
  change: { approvals: { required: 2, distinct_from_author: true, signers: allowed_signers } }
Next: rmsfleet show FILE, rmsfleet apply FILE";

pub const APPLY: &str = "\
Examples:
  rmsfleet apply --lab                             the tour: eight simulated servers, asks nothing
  rmsfleet apply change.rmsplan                    exactly the sealed plan
  rmsfleet apply --yes --confirm Contoso           plan and apply, organisation step included
  rmsfleet apply change.rmsplan -l 'fci:!FS07'     the sealed plan without some of its hosts
  rmsfleet apply change.rmsplan --rehearse         read and compare everything, write nothing
  rmsfleet apply --check                           plan only (also --noop, --what-if, -n)

Without --confirm NAME the run pauses before an organisation step (exit 8).
Ctrl-C: hosts in flight finish; again: they stop at the next safe point; a third time: leave now.
Next: rmsfleet runs show RUN";

pub const RESUME: &str = "\
Examples:
  rmsfleet resume 20260109-120000-0a1b2c               after a crash, a stop or an outage
  rmsfleet resume 20260109 --yes --confirm Contoso     a run that waits for its last step

The sealed plan of the run goes on, even past its expiry: it began in time. What was verified stays;
what may have been written or ordered is read first, and what somebody else changed is refused.
Next: rmsfleet runs show RUN";

pub const UNDO: &str = "\
Examples:
  rmsfleet undo 20260109-120000-0a1b2c -o back.rmsplan   only the plan; apply it as any other
  rmsfleet undo 20260109 --yes --confirm Contoso         plan, show, write, read back
  rmsfleet undo 20260109 --waive FS07:drifted            leave what somebody else has changed there
  rmsfleet undo 20260109 --waive FS07:window             take this host back outside its window

What the run's journal says was written is taken back where the host still holds it: organisation
steps that followed servers first, then values, keys that the run created and that are empty, and
the restarts the rules ask for. What was in doubt is read first. What holds something else by now is
left alone, and so is what another run has written since this one was undone.
An undo is a run of its own: resume goes on with it, undo takes it back.
Exit 11: not everything is back and read back.
Next: rmsfleet runs show RUN";

pub const VERIFY: &str = "\
Examples:
  rmsfleet verify                        what inventory and playbook want now
  rmsfleet verify change.rmsplan         what this plan wants, however it came to the hosts
  rmsfleet verify --run latest           what the latest run was to write

Exit 0: read, and said; with --detailed-exitcode 2 where something differs or a restart is owed;
6: hosts not reached; 7: values that could not be read.
Next: rmsfleet plan, or rmsfleet drift";

pub const DRIFT: &str = "\
Examples:
  rmsfleet drift                         every host that a recorded run has written to
  rmsfleet drift --host FS07 --full      one host, every value

reverted: it holds again what was there before the run. not applied: planned, never written here.
changed: neither. other form: one that the rule pack knows (needs the inventory).
Next: rmsfleet plan";

pub const EXPORT_REG: &str = "\
Examples:
  rmsfleet export reg change.rmsplan -o files
  rmsfleet export reg -o files           reads the hosts first

roles/ROLE.reg where all servers of a role get the same, hosts/NAME.reg always; NAME.undo.reg gives
changed values their old type and data, and deletes what was absent. Keys stay, empty.
Next: import, then rmsfleet verify files/plan.rmsplan";

pub const EXPORT_GPO: &str = "\
Examples:
  rmsfleet export gpo change.rmsplan -o policies

create-policies.ps1 creates one policy for each kind of server and links none; undo-policies.ps1
makes them delete their values; values.md and values.csv are for typing them in by hand.
Next: review, run, link, then rmsfleet verify policies/plan.rmsplan";

pub const STATUS: &str = "\
Examples:
  rmsfleet status                        the latest run
  rmsfleet status 20260109               one run
  rmsfleet status --full                 every host of it

Exit code: the run's own once it has ended; 0 while somebody works on it; 8 where it stands still and
can go on: it waits for a person, or its process is gone.
Next: rmsfleet watch RUN, rmsfleet resume RUN";

pub const EXPLAIN: &str = "\
Examples:
  rmsfleet explain FS07                  by inventory and playbook: scope, stage, window, credential
  rmsfleet explain FS07 --plan FILE      by a sealed plan: also the restart and its evidence
  rmsfleet explain FS07 --run latest     and how far the run has come with it
  rmsfleet explain 2150858793
  rmsfleet explain 0x80338029
  rmsfleet explain 5";

pub const LAB_SERVE: &str = "\
Prints one line per host (NAME ADDRESS:PORT), then `ready`. Real sockets, real NTLM, real
message encryption; account and password are printed. Ctrl-C ends it.";
