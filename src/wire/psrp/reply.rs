//! What a server says about the pool and its pipelines, beside their output.

use uuid::Uuid;

use crate::wire::psrp::error::PoolError;
use crate::wire::psrp::object::PsObject;
use crate::wire::psrp::record::ErrorRecord;
use crate::wire::psrp::version::Version;

/// What a client learns, in the server's order.
#[derive(Debug, Clone, PartialEq)]
pub enum PoolEvent {
    /// Pipelines may be created now.
    Opened,
    /// The pool is closed or broken; the shell is of no further use.
    Ended(String),
    Output {
        pipeline: Uuid,
        object: PsObject,
    },
    /// A non-terminating error: the pipeline goes on.
    Error {
        pipeline: Uuid,
        error: ErrorRecord,
    },
    Warning {
        pipeline: Uuid,
        message: String,
    },
    /// Nothing more comes from this pipeline.
    Finished {
        pipeline: Uuid,
        how: Finish,
    },
}

/// How a pipeline ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finish {
    Completed,
    Failed(ErrorRecord),
    Stopped,
}

/// RUNSPACEPOOL_STATE, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PoolState {
    Opened,
    /// Closed or broken, with the reason.
    Ended(String),
    /// Negotiating, connecting, disconnecting.
    OnTheWay,
}

/// The `protocolversion` of a SESSION_CAPABILITY, [MS-PSRP] 2.2.2.1.
pub fn version(capability: &PsObject) -> Result<Version, PoolError> {
    let text = capability.property("protocolversion").and_then(PsObject::text).unwrap_or_default();
    Version::parse(&text)
        .ok_or_else(|| PoolError::unexpected("a protocol version", format!("`{text}`")))
}

/// RUNSPACEPOOL_STATE, [MS-PSRP] 2.2.2.5.
pub fn pool_state(object: &PsObject) -> Result<PoolState, PoolError> {
    const OPENED: i64 = 2;
    const CLOSED: i64 = 3;
    const BROKEN: i64 = 5;
    Ok(match number(object, "RunspaceState")? {
        OPENED => PoolState::Opened,
        CLOSED | BROKEN => PoolState::Ended(object.property("ExceptionAsErrorRecord").map_or_else(
            || "the server closed the runspace pool".to_owned(),
            |record| ErrorRecord::from_object(record).to_string(),
        )),
        _ => PoolState::OnTheWay,
    })
}

/// PIPELINE_STATE, [MS-PSRP] 2.2.2.21; `None` while it runs.
pub fn finish(object: &PsObject) -> Result<Option<Finish>, PoolError> {
    const STOPPED: i64 = 3;
    const COMPLETED: i64 = 4;
    const FAILED: i64 = 5;
    const DISCONNECTED: i64 = 6;
    Ok(match number(object, "PipelineState")? {
        COMPLETED => Some(Finish::Completed),
        FAILED => Some(Finish::Failed(object.property("ExceptionAsErrorRecord").map_or_else(
            || ErrorRecord { message: "no reason was given".to_owned(), id: None },
            ErrorRecord::from_object,
        ))),
        STOPPED | DISCONNECTED => Some(Finish::Stopped),
        _ => None,
    })
}

/// A host call that wants no answer (id -100) is skipped; any other would wait for one for ever.
pub fn host_call(call: &PsObject) -> Result<(), PoolError> {
    const NO_ANSWER: i64 = -100;
    if number(call, "ci")? == NO_ANSWER {
        return Ok(());
    }
    let method = call.property("mi").and_then(PsObject::to_text);
    Err(PoolError::HostCall(method.unwrap_or_else(|| "an unnamed method".to_owned())))
}

fn number(object: &PsObject, name: &'static str) -> Result<i64, PoolError> {
    object
        .property(name)
        .and_then(PsObject::int)
        .ok_or_else(|| PoolError::unexpected(name, "no number of that name"))
}
