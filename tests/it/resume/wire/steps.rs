//! Killed at every record of the steps that are done once for each server, and resumed: what is made
//! is made once, counted at the hosts behind their sockets.

use rmsfleet::error::Exit;
use rmsfleet::model::host::HostName;
use rmsfleet::model::plan::Plan;

use crate::resume::DEATHS;
use crate::resume::Death;
use crate::resume::Memory;
use crate::resume::one_in;
use crate::resume::wire::ground::Ground;
use crate::resume::wire::ground::INVENTORY;
use crate::resume::wire::ground::Log;
use crate::resume::wire::ground::alone;
use crate::resume::wire::ground::planned;

const PLAYBOOK: &str = "version: 1
name: steps
stages:
  - { name: servers, hosts: 'exchange:fci' }
  - { name: clear, org_step: exchange.clear-cache, destructive: accepted }
  - { name: iis, org_step: exchange.restart-iis, destructive: accepted }
  - name: rule
    org_step: fci.classification-rule
    set:
      Name: Confidential
      Namespace: ['D:\\Shares']
      Property: Confidentiality_MS
      PropertyValue: '3000'
      ContentString: [confidential]
  - name: job
    org_step: fci.file-management-job
    set:
      Name: Protect
      Namespace: ['D:\\Shares']
      RmsTemplate: Contoso - Confidential
      Condition: { Property: Confidentiality_MS, Condition: Equal, Value: '3000' }
      Schedule: { Time: '2026-12-01T02:00:00+01:00', Weekly: [Sunday] }
";

/// How often each was done.
fn done(log: &Log) -> [usize; 3] {
    let log = log.lock().unwrap();
    let acts =
        ["make MSFT_FSRMClassificationRule", "make MSFT_FSRMFileManagementJob", "Remove-Item"];
    acts.map(|act| log.iter().filter(|line| line.ends_with(&format!(" {act}"))).count())
}

#[track_caller]
fn check_end(ground: &Ground, expected: [usize; 3], what: &str) {
    assert_eq!(done(&ground.log), expected, "{what}");
    let exchange = HostName::new("EX01.corp.contoso.com");
    let (left, stopped) = ground.host(&exchange, |host| {
        let left: usize = host.folders.values().map(Vec::len).sum();
        let stopped = host.services.iter().filter(|own| own.name == "W3SVC" && !own.running);
        (left, stopped.count())
    });
    assert_eq!((left, stopped), (0, 0), "{what}");
}

/// Whether the process came to that record: over sockets a server's lease is given back between two
/// steps or kept, as the answers fall, and a run that kept it has fewer records.
fn killed(plan: &Plan, at: usize, death: Death, expected: [usize; 3]) -> bool {
    let what = format!("{death:?} at line {at}");
    alone(async {
        let ground = Ground::new(None, Log::default()).await;
        let disk = Memory::dying(at, death);
        let ended = ground.process(plan, &disk, None).await;
        let died = ended.is_err();
        let report = match ended {
            Ok(report) => report,
            Err(_) => ground.resumed(plan, &disk).await,
        };
        assert_eq!(report.exit, Exit::Ok, "{what}: {report:#?}");
        check_end(&ground, expected, &what);
        died
    })
}

#[test]
fn killed_at_any_record_of_a_step_for_each_server_it_is_done_once() {
    let plan = planned(INVENTORY, PLAYBOOK);
    let (first, lines, expected) = alone(async {
        let (ground, disk) = (Ground::new(None, Log::default()).await, Memory::default());
        let report = ground.process(&plan, &disk, None).await.unwrap();
        assert_eq!(report.exit, Exit::Ok, "{report:#?}");
        let expected = done(&ground.log);
        assert_eq!(expected[..2], [1, 1]);
        assert!(expected[2] > 0);
        check_end(&ground, expected, "undisturbed");
        let text = String::from_utf8(disk.bytes()).unwrap();
        let step = |line: &str| line.contains("\"stage-started\"") && line.contains("\"clear\"");
        (text.lines().position(step).unwrap(), disk.lines(), expected)
    });
    // Which act a record announces differs: no number of them may be left out by its rhythm.
    let deaths = DEATHS.into_iter().flat_map(|death| (first..lines).map(move |at| (at, death)));
    let chosen: Vec<_> = deaths.step_by(one_in(23)).collect();
    let died = chosen.iter().filter(|(at, death)| killed(&plan, *at, *death, expected)).count();
    assert!(died * 2 > chosen.len(), "{died} of {} were killed", chosen.len());
}
