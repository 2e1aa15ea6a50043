//! A connection to an imagined machine. It ends with the boot that it belongs to.

use jiff::Timestamp;

use rmsfleet::host::link::HostError;
use rmsfleet::host::link::Reader;
use rmsfleet::host::link::Writer;
use rmsfleet::wire::operation::Answer;
use rmsfleet::wire::operation::Read;
use rmsfleet::wire::operation::Write;

use crate::imagined::fleet::Fleet;
use crate::imagined::machine::act;
use crate::imagined::machine::answer;
use crate::imagined::strike::Aftermath;
use crate::imagined::strike::Struck;
use crate::imagined::strike::fault;

pub(crate) struct ImaginedLink {
    pub(crate) fleet: Fleet,
    pub(crate) name: String,
    pub(crate) boot: Timestamp,
    pub(crate) broken: bool,
}

impl ImaginedLink {
    /// The machine restarted under the connection, or is gone.
    fn is_stale(&self) -> bool {
        self.fleet.with(|world| {
            let now = world.now;
            let machine = world.machines.get_mut(&self.name).unwrap();
            machine.tick(now);
            machine.boot != self.boot || machine.luck.unreachable
        })
    }

    fn lost(&mut self, call: &str) -> HostError {
        self.broken = true;
        HostError::Lost { call: call.to_owned(), source: "reset by peer".into() }
    }
}

impl Reader for ImaginedLink {
    async fn read(&mut self, read: &Read) -> Result<Answer, HostError> {
        tokio::task::yield_now().await;
        if self.broken || self.is_stale() {
            return Err(self.lost("a read"));
        }
        match self.fleet.struck(&self.name, "read") {
            Struck::No => {}
            Struck::Before(error) => {
                self.broken = true;
                return Err(error);
            }
            Struck::After(error, aftermath) => {
                self.fleet.with(|world| world.suffer(&self.name, aftermath));
                self.broken = true;
                return Err(error);
            }
            Struck::Code(code) => return refused(read, code),
        }
        Ok(self.fleet.with(|world| answer(world.now, &world.machines[&self.name], read)))
    }
}

/// The answer of a provider that refuses with a code.
fn refused(read: &Read, code: u32) -> Result<Answer, HostError> {
    Ok(match read {
        Read::Value { .. } => Answer::Value { code, value: None },
        Read::EnumValues(_) => Answer::Values { code, values: Vec::new() },
        Read::EnumKeys(_) => Answer::Keys { code, names: Vec::new() },
        Read::CheckAccess { .. } => Answer::Access { code, granted: None },
        Read::RmsTemplates => Answer::Templates { code, names: Vec::new() },
        Read::AccessList(_) => Answer::AccessList { code, entries: None },
        Read::ClientRestart => Answer::ClientRestart { code, pending: None },
        // WMI has no code of its own for that.
        Read::Identify | Read::Settings | Read::Instance { .. } | Read::Query { .. } => {
            return Err(fault(code));
        }
    })
}

impl Writer for ImaginedLink {
    async fn write(&mut self, write: &Write) -> Result<Answer, HostError> {
        tokio::task::yield_now().await;
        if self.broken || self.is_stale() {
            return Err(self.lost("a write"));
        }
        let after = match self.fleet.struck(&self.name, "write") {
            Struck::No => None,
            Struck::Before(error) => {
                self.broken = true;
                return Err(error);
            }
            Struck::After(error, aftermath) => Some((error, aftermath)),
            Struck::Code(code) => return Ok(Answer::Done { code }),
        };
        let fleet = self.fleet.clone();
        let (answer, breaks) = fleet.with(|world| {
            let line = match write {
                Write::CreateKey(key) => format!("create {key}"),
                Write::DeleteKey(key) => format!("drop {key}"),
                Write::SetValue { path, .. } => format!("set {}", path.name),
                Write::DeleteValue(path) => format!("delete {}", path.name),
                Write::SetAccessList { key, .. } => format!("rights {key}"),
                Write::Restart { .. } => "restart".to_owned(),
                Write::StartService(name) => format!("start {name}"),
                Write::StopService(name) => format!("stop {name}"),
                Write::CreateInstance { class, .. } => format!("make {class}"),
                Write::DeleteInstance { class, .. } => format!("remove {class}"),
            };
            world.log.push(format!("{} {line}", self.name));
            let now = world.now;
            let machine = world.machines.get_mut(&self.name).unwrap();
            let number = machine.writes;
            let counts = matches!(write, Write::SetValue { .. } | Write::DeleteValue(_));
            machine.writes += usize::from(counts);
            if counts && machine.luck.refuse_write == Some(number) {
                return (Answer::Done { code: 5 }, false);
            }
            let breaks = counts && machine.luck.break_after_write == Some(number);
            let answer = act(machine, write, now);
            if breaks && machine.luck.gone_after_break {
                world.suffer(&self.name, Aftermath::Leaves);
            }
            (answer, breaks)
        });
        if let Some((error, aftermath)) = after {
            fleet.with(|world| world.suffer(&self.name, aftermath));
            self.broken = true;
            return Err(error);
        }
        let order = matches!(write, Write::Restart { .. });
        let luck = fleet.with(|world| world.machines[&self.name].luck);
        if order && luck.lose_order {
            return Err(self.lost("the order"));
        }
        if let Some(code) = luck.fault_order.filter(|_| order) {
            return Err(fault(code));
        }
        self.broken |= breaks || order;
        Ok(answer)
    }
}
