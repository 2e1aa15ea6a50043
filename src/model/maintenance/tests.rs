use super::*;

fn component(state: &str, asked: &[(&str, &str)]) -> Component {
    let asked = asked.iter().map(|(who, what)| ((*who).to_owned(), (*what).to_owned()));
    Component { state: state.to_owned(), asked: asked.collect() }
}

fn copy(database: &str, active: bool, activation_suspended: bool) -> DatabaseCopy {
    DatabaseCopy {
        database: database.to_owned(),
        active,
        status: if active { "Mounted" } else { "Healthy" }.to_owned(),
        activation_suspended,
        single: false,
    }
}

fn member() -> Membership {
    let names = [HUB_TRANSPORT, SERVER_WIDE, "Monitoring", "OwaProxy"];
    let components =
        names.map(|name| (name.to_owned(), component("Active", &[]))).into_iter().collect();
    Membership {
        mailbox: Some(MailboxServer {
            server: "EX1".to_owned(),
            dag: "DAG1".to_owned(),
            components,
            policy: "Unrestricted".to_owned(),
            move_now: false,
            copies: vec![copy("DB1", true, false), copy("DB2", false, true)],
            transport: true,
            queued: 3,
        }),
        node: Some(ClusterNode {
            name: "EX1".to_owned(),
            state: NodeState::Up,
            groups: Vec::new(),
            drain: None,
        }),
    }
}

fn edited(edit: impl FnOnce(&mut MailboxServer)) -> Membership {
    let mut member = member();
    edit(member.mailbox.as_mut().unwrap());
    member
}

fn texts(acts: &[Act]) -> Vec<String> {
    acts.iter().map(ToString::to_string).collect()
}

#[test]
fn a_member_is_drained_in_the_documented_order() {
    assert_eq!(
        texts(&member().drain(Some("ex2.contoso.com"))),
        [
            "Set-ServerComponentState EX1 -Component HubTransport -State Draining -Requester \
             Maintenance",
            "Restart-Service MSExchangeTransport  (on EX1)",
            "Redirect-Message -Server EX1 -Target ex2.contoso.com -Confirm:$false",
            "Set-MailboxServer EX1 -DatabaseCopyAutoActivationPolicy Blocked",
            "Suspend-ClusterNode EX1 -Drain",
            "Move-ActiveMailboxDatabase DB1 -Confirm:$false",
        ]
    );
}

#[test]
fn what_is_done_is_not_done_again() {
    let mut drained = member().drained();
    let own = drained.mailbox.as_mut().unwrap();
    own.copies[0].active = false;
    own.queued = 0;
    assert_eq!(drained.drain(Some("ex2.contoso.com")), []);
    assert_eq!(drained.busy(), [""; 0]);
    assert_eq!(drained.offline(), None);
}

#[test]
fn the_way_back_is_the_way_out_reversed() {
    assert_eq!(
        member().recovery(),
        [
            "Set-ServerComponentState EX1 -Component ServerWideOffline -State Active -Requester \
             Maintenance",
            "Resume-ClusterNode EX1",
            "Set-MailboxServer EX1 -DatabaseCopyAutoActivationPolicy Unrestricted",
            "Set-ServerComponentState EX1 -Component HubTransport -State Active -Requester \
             Maintenance",
            "Restart-Service MSExchangeTransport  (on EX1)",
        ]
    );
    assert_eq!(member().restore(&member()), Return::default());
}

#[test]
fn a_block_a_pause_and_a_draining_that_were_found_are_left_as_found() {
    let mut found = edited(|own| {
        own.policy = "Blocked".to_owned();
        own.components
            .insert(HUB_TRANSPORT.to_owned(), component("Draining", &[(REQUESTER, "Draining")]));
    });
    found.node.as_mut().unwrap().state = NodeState::Paused;
    assert_eq!(
        found.recovery(),
        ["Set-ServerComponentState EX1 -Component ServerWideOffline -State Active -Requester \
          Maintenance"]
    );
}

#[test]
fn what_somebody_else_has_set_meanwhile_is_his() {
    let mut now = member().drained();
    let own = now.mailbox.as_mut().unwrap();
    own.policy = "IntrasiteOnly".to_owned();
    own.copies[1].activation_suspended = false;
    own.components
        .insert(HUB_TRANSPORT.to_owned(), component("Inactive", &[(REQUESTER, "Inactive")]));
    let back = member().restore(&now);
    assert_eq!(back.acts.len(), 2, "{:?}", back.acts);
    assert_eq!(
        back.foreign,
        [
            "the activation policy is IntrasiteOnly, it was Unrestricted",
            "HubTransport is Inactive by Maintenance, it was Active",
            "copy DB2 is not suspended, it was suspended for activation",
        ]
    );
}

#[test]
fn a_transport_that_was_stopped_in_between_is_started() {
    let stopped = |component_state: &str| {
        edited(|own| {
            own.transport = false;
            own.components.insert(
                HUB_TRANSPORT.to_owned(),
                component(component_state, &[(REQUESTER, component_state)]),
            );
        })
    };
    let start = "Start-Service MSExchangeTransport  (on EX1)";
    assert!(texts(&stopped("Draining").drain(None)).iter().any(|act| act == start));
    assert_eq!(texts(&member().restore(&stopped("Active")).acts), [start]);
    let back = texts(&member().restore(&stopped("Draining")).acts);
    assert_eq!(back.last().map(String::as_str), Some(start), "{back:?}");
}

#[test]
fn roles_of_a_cluster_go_home_as_their_settings_say() {
    let node = ClusterNode {
        name: "N1".to_owned(),
        state: NodeState::Up,
        groups: vec!["FS".to_owned()],
        drain: None,
    };
    let found = Membership { mailbox: None, node: Some(node) };
    assert_eq!(texts(&found.drain(None)), ["Suspend-ClusterNode N1 -Drain"]);
    assert_eq!(found.busy(), ["node N1 is not paused", "node N1 owns FS"]);
    assert_eq!(found.recovery(), ["Resume-ClusterNode N1 -Failback Policy"]);
}

#[test]
fn a_database_without_another_copy_is_named_and_not_moved() {
    let member = edited(|own| own.copies[0].single = true);
    assert_eq!(member.single_copies(), ["DB1"]);
    assert!(!texts(&member.drain(None)).iter().any(|act| act.contains("DB1")));
}
