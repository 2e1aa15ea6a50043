//! What a restart would meet on a host: its place in a DAG or cluster, and its users.

use crate::model::care::Drain;
use crate::model::facts::Survey;
use crate::model::host::Host;
use crate::model::plan::Blocker;
use crate::model::plan::Note;
use crate::model::plan::PlannedHost;

/// Adds blockers and notes to a host that is to restart.
pub fn tell(planned: &mut PlannedHost, host: &Host, survey: &Survey) {
    let name = &planned.name;
    let missing = match planned.care.drain {
        Drain::ExchangeDag if host.dag.is_none() => Some(("exchange-dag", "rms_dag")),
        Drain::FailoverCluster if host.cluster.is_none() => {
            Some(("failover-cluster", "rms_cluster"))
        }
        Drain::None | Drain::Hook(_) | Drain::ExchangeDag | Drain::FailoverCluster => None,
    };
    if let Some((drain, key)) = missing {
        planned.blockers.push(Blocker {
            id: "drain".to_owned(),
            text: format!("`drain: {drain}` needs to know its members, and {name} has no `{key}`"),
            hint: Some(format!("set `{key}` in the inventory, or leave the drain out")),
        });
        return;
    }
    if let Some(failure) = survey.standing_failures.get(name) {
        let drains = matches!(planned.care.drain, Drain::ExchangeDag | Drain::FailoverCluster);
        if drains {
            planned.blockers.push(Blocker {
                id: "drain".to_owned(),
                text: format!("how it stands was not read: {}", failure.text()),
                hint: failure.hint.clone(),
            });
        } else {
            let text = format!("the open files of {name} were not read: {}", failure.text());
            planned.notes.push(Note { id: "open-files".to_owned(), text });
        }
    }
    if let Some(found) = survey.memberships.get(name) {
        let peculiar = found.peculiar();
        if !peculiar.is_empty() {
            let text = format!("{name} is restored as found: {}", peculiar.join(", "));
            planned.notes.push(Note { id: "as-found".to_owned(), text });
        }
        planned.single_copies = found.single_copies().into_iter().map(str::to_owned).collect();
        if !planned.single_copies.is_empty() {
            planned.blockers.push(Blocker {
                id: "single-copy".to_owned(),
                text: format!(
                    "{} has no other copy and is down while {name} restarts",
                    planned.single_copies.join(", ")
                ),
                hint: Some(format!("add a copy, or accept it: --waive {name}:single-copy")),
            });
        }
        let own_dag = found.mailbox.as_ref().map(|own| own.dag.as_str());
        if let (Some(found), Some(asserted)) = (own_dag, host.dag.as_deref())
            && !found.eq_ignore_ascii_case(asserted)
        {
            planned.blockers.push(Blocker {
                id: "drain".to_owned(),
                text: format!("expected DAG `{asserted}`, {name} is a member of `{found}`"),
                hint: Some("correct `rms_dag`".to_owned()),
            });
        }
    }
    if let Some(count) = survey.open_files.get(name).filter(|count| **count > 0) {
        let text = format!("users of {name} have {count} files open");
        planned.notes.push(Note { id: "open-files".to_owned(), text });
    }
}
