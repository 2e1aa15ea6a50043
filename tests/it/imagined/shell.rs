//! The Exchange endpoint of an imagined organisation.

use jiff::Timestamp;

use rmsfleet::host::link::Argument;
use rmsfleet::host::link::Cmdlet;
use rmsfleet::host::link::CmdletResult;
use rmsfleet::host::link::HostError;
use rmsfleet::host::link::Shell;
use rmsfleet::lab::cluster;
use rmsfleet::lab::cmdlet::Parameters;
use rmsfleet::lab::maintenance;
use rmsfleet::wire::psrp::object::Complex;
use rmsfleet::wire::psrp::object::PsObject;

use crate::imagined::fleet::Fleet;

pub(crate) struct ImaginedShell {
    pub(crate) fleet: Fleet,
    pub(crate) name: String,
    /// It ends with the boot that it belongs to.
    pub(crate) boot: Timestamp,
    /// Exchange's endpoint, or the host's own.
    pub(crate) exchange: bool,
}

/// As they arrive at the other side.
fn bound(cmdlet: &Cmdlet) -> Parameters {
    let named = cmdlet.parameters.iter().map(|(name, argument)| {
        let value = match argument {
            Argument::Bool(value) => PsObject::Bool(*value),
            Argument::Text(text) => PsObject::Text(text.clone()),
            Argument::Texts(texts) => {
                PsObject::List(texts.iter().cloned().map(PsObject::Text).collect())
            }
        };
        ((*name).to_owned(), value)
    });
    Parameters { named: named.collect(), positional: Vec::new() }
}

impl Shell for ImaginedShell {
    async fn run(&mut self, cmdlet: &Cmdlet) -> Result<CmdletResult, HostError> {
        if self.is_stale() {
            let (call, source) = (cmdlet.name.to_owned(), "reset by peer".into());
            return Err(HostError::Lost { call, source });
        }
        match self.fleet.cmdlet_passes(&self.name) {
            Ok(()) => self.carry_out(cmdlet),
            Err((None, error)) => Err(error),
            Err((Some(aftermath), error)) => {
                // Nobody hears how it went.
                let _untold = self.carry_out(cmdlet);
                self.fleet.with(|world| world.suffer(&self.name, aftermath));
                Err(error)
            }
        }
    }

    async fn close(self) {
        self.fleet.with(|world| world.log.push(format!("{} close", self.name)));
    }
}

impl ImaginedShell {
    fn is_stale(&self) -> bool {
        self.fleet.with(|world| {
            world.power();
            let (now, machine) = (world.now, &world.machines[&self.name]);
            machine.boot != self.boot || machine.is_away(now)
        })
    }

    fn carry_out(&self, cmdlet: &Cmdlet) -> Result<CmdletResult, HostError> {
        self.fleet.with(|world| {
            world.log.push(format!("{} {}", self.name, cmdlet.name));
            world.power();
            let computer = world.machines[&self.name].computer.clone();
            let parameters = bound(cmdlet);
            let farm = &mut world.availability;
            let ran = if self.exchange {
                maintenance::run(farm, cmdlet.name, &parameters)
            } else {
                cluster::run(farm, &computer, cmdlet.name, &parameters)
            };
            match ran {
                Some(Ok(done)) => {
                    return Ok(CmdletResult { output: done.output, ..CmdletResult::default() });
                }
                Some(Err(failure)) => {
                    let cmdlet = cmdlet.name.to_owned();
                    return Err(HostError::Cmdlet { cmdlet, message: failure.message });
                }
                None => {}
            }
            let output = match cmdlet.name {
                "Get-IRMConfiguration" => vec![object(&[
                    ("DistinguishedName", PsObject::Text(world.dn.clone())),
                    ("InternalLicensingEnabled", PsObject::Bool(world.enabled)),
                    ("ClientAccessServerEnabled", PsObject::Bool(world.enabled)),
                    ("ExternalLicensingEnabled", PsObject::Bool(false)),
                ])],
                "Get-ExchangeServer" => world
                    .servers
                    .iter()
                    .filter(|name| {
                        let wanted = parameters.get("Identity").and_then(PsObject::text);
                        wanted.is_none_or(|wanted| wanted.eq_ignore_ascii_case(name))
                    })
                    .map(|name| {
                        object(&[
                            ("Name", PsObject::Text(name.clone())),
                            ("Fqdn", PsObject::Text(format!("{name}.contoso.com"))),
                            ("AdminDisplayVersion", PsObject::Text("Version 15.2".to_owned())),
                            ("IsEdgeServer", PsObject::Bool(false)),
                        ])
                    })
                    .collect(),
                "Set-IRMConfiguration" => {
                    let on = |(name, value): &(&str, Argument)| {
                        *name == "InternalLicensingEnabled" && *value == Argument::Bool(true)
                    };
                    if !world.cut_cmdlet {
                        world.enabled = cmdlet.parameters.iter().any(on);
                    }
                    if world.lose_cmdlet || world.cut_cmdlet {
                        return Err(HostError::Lost {
                            call: cmdlet.name.to_owned(),
                            source: "reset by peer".into(),
                        });
                    }
                    Vec::new()
                }
                other => panic!("`{other}` is not a cmdlet of ours"),
            };
            Ok(CmdletResult { output, ..CmdletResult::default() })
        })
    }
}

fn object(properties: &[(&str, PsObject)]) -> PsObject {
    let properties =
        properties.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    PsObject::Complex(Box::new(Complex { properties, ..Complex::default() }))
}
