//! `doctor` for people: one line for each check, and under a failed one what to do.

use crate::model::checkup::Checkup;
use crate::model::checkup::Trouble;
use crate::model::checkup::Verdict;
use crate::report::plural;
use crate::report::style::Sign;
use crate::report::style::Style;
use crate::report::style::Tint;

/// One host's checks.
pub fn render(checkup: &Checkup, style: Style) -> String {
    let mut text = format!("{}\n", style.paint(Tint::Strong, checkup.host.as_str()));
    for checked in &checkup.checks {
        let word = format!("{:<9}", checked.check.word());
        match &checked.verdict {
            Verdict::Ok { seen } => {
                let sign = style.paint(Tint::Good, &format!("{:>4}", style.sign(Sign::Tick)));
                text.push_str(&format!("{sign}  {word} {seen}\n"));
            }
            Verdict::Failed { trouble, seen, remedy } => {
                let tint = match trouble {
                    Trouble::Unreachable => Tint::Unreachable,
                    Trouble::Wrong | Trouble::Refused => Tint::Bad,
                };
                let sign = style.paint(tint, &format!("{:>4}", style.sign(Sign::Cross)));
                text.push_str(&format!("{sign}  {word} {seen}\n"));
                for what in remedy {
                    let arrow = style.paint(Tint::Strong, style.sign(Sign::Arrow));
                    text.push_str(&format!("{:16} {arrow} {what}\n", ""));
                }
            }
            Verdict::Skipped { because } => {
                let line = format!("{:>4}  {word} skipped: {because}", "-");
                text.push_str(&format!("{}\n", style.paint(Tint::Faint, &line)));
            }
        }
    }
    text
}

/// `7 hosts are well, 1 is not: FS07.contoso.example`.
pub fn summary(checkups: &[Checkup]) -> String {
    let (ill, well): (Vec<_>, Vec<_>) =
        checkups.iter().partition(|checkup| checkup.trouble().is_some());
    let names: Vec<&str> = ill.iter().map(|checkup| checkup.host.as_str()).collect();
    let are = |count: usize| if count == 1 { "is" } else { "are" };
    match (well.len(), ill.len()) {
        (well, 0) => format!("{} {} well", plural::count(well, "host"), are(well)),
        (well, ill) => format!(
            "{} {} well, {ill} {} not: {}",
            plural::count(well, "host"),
            are(well),
            are(ill),
            plural::list(&names, 5)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::checkup::Check;
    use crate::model::checkup::Checked;
    use crate::model::host::HostName;

    fn checkup(host: &str, verdicts: &[(Check, Verdict)]) -> Checkup {
        let checks = verdicts
            .iter()
            .map(|(check, verdict)| Checked { check: *check, verdict: verdict.clone() })
            .collect();
        Checkup { host: HostName::new(host), checks }
    }

    fn sample() -> Checkup {
        let failed = Verdict::Failed {
            trouble: Trouble::Unreachable,
            seen: "refused".to_owned(),
            remedy: vec!["open the port".to_owned()],
        };
        checkup(
            "FS01",
            &[
                (Check::Name, Verdict::Ok { seen: "fs01 is 10.0.0.1".to_owned() }),
                (Check::Tcp, failed),
                (Check::Http, Verdict::Skipped { because: "tcp failed".to_owned() }),
            ],
        )
    }

    #[test]
    fn each_check_is_a_line_and_a_failure_says_what_to_do() {
        let expected = "FS01\n   ✓  name      fs01 is 10.0.0.1\n   ✗  tcp       refused\n\
                        \u{20}                → open the port\n   -  http      skipped: tcp failed\n";
        assert_eq!(render(&sample(), Style::PLAIN), expected);
    }

    #[test]
    fn the_summary_names_who_is_not_well() {
        let well = checkup("EX1", &[(Check::Name, Verdict::Ok { seen: String::new() })]);
        assert_eq!(summary(std::slice::from_ref(&well)), "1 host is well");
        assert_eq!(summary(&[well, sample()]), "1 host is well, 1 is not: FS01");
    }
}
