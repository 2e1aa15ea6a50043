//! WS-Management over one channel: a connection as recipes know it.

use crate::host::link::HostError;
use crate::host::link::Reader;
use crate::host::link::Writer;
use crate::net::again::Again;
use crate::net::again::First;
use crate::net::channel::SoapCall;
use crate::net::left::OwnShells;
use crate::wire::operation::Answer;
use crate::wire::operation::Instance;
use crate::wire::operation::Read;
use crate::wire::operation::Write;
use crate::wire::soap::Header;
use crate::wire::soap::WsmanError;
use crate::wire::wsman;
use crate::wire::wsman::Reply;
use crate::wire::wsman::Sent;

/// Most pages of one query; a host that never ends its sequence must not keep us.
const MAX_PAGES: usize = 4096;
/// Most instances of one query.
const MAX_INSTANCES: usize = 100_000;

/// Draws message ids: `uuid:` and an upper-case GUID, a new one every time.
pub type MessageIds = Box<dyn FnMut() -> String + Send>;

/// A logged-on connection for reading and writing.
///
/// A fault leaves it usable. A reply that does not belong to the request ends it: nobody knows any
/// more which reply belongs to what.
pub struct WsmanLink<C> {
    channel: C,
    /// `false` once a call has failed or its reply made no sense.
    is_sound: bool,
    header: Header,
    ids: MessageIds,
    shells: OwnShells,
}

impl<C: SoapCall> WsmanLink<C> {
    /// `header` is the model of every request's; its message id is replaced each time.
    /// Shells of programs that it may leave on the host are noted in `shells`.
    pub fn new(channel: C, header: Header, ids: MessageIds, shells: OwnShells) -> Self {
        Self { channel, is_sound: true, header, ids, shells }
    }

    /// The model's header with a new id.
    pub(super) fn next_header(&mut self) -> Header {
        Header { message_id: (self.ids)(), ..self.header.clone() }
    }

    /// Sends an envelope and brings the reply's back.
    pub(super) async fn exchange(
        &mut self,
        name: &str,
        envelope: Vec<u8>,
    ) -> Result<Vec<u8>, HostError> {
        if !self.is_sound {
            return Err(HostError::NotConnected {
                endpoint: self.header.to.clone(),
                source: "an earlier call on this connection failed, or its reply made no sense"
                    .into(),
            });
        }
        let reply = self.channel.call(name, envelope).await;
        self.is_sound = reply.is_ok();
        reply
    }

    /// A reply as recipes know it; one that makes no sense ends the connection.
    pub(super) fn sound<T>(
        &mut self,
        name: &str,
        reply: Result<T, WsmanError>,
    ) -> Result<T, HostError> {
        if matches!(reply, Err(WsmanError::Xml(_) | WsmanError::Unexpected { .. })) {
            self.is_sound = false;
        }
        reply.map_err(|error| failed(name, error))
    }

    pub(super) fn is_sound(&self) -> bool {
        self.is_sound
    }

    /// A new connection after an error, for what is safe to say again.
    pub(super) async fn renew(&mut self) -> Result<(), HostError> {
        self.channel.renew().await?;
        self.is_sound = true;
        Ok(())
    }

    pub(super) fn shells(&self) -> &OwnShells {
        &self.shells
    }

    async fn ask(&mut self, sent: Sent<'_>, query: Option<&str>) -> Result<Reply, HostError> {
        let name = sent.name();
        let header = self.next_header();
        let envelope = match sent {
            Sent::Read(read) => wsman::encode_read(read, &header),
            Sent::Write(write) => wsman::encode_write(write, &header),
            Sent::Pull { context } => {
                wsman::encode_pull(query.unwrap_or_default(), context, &header)
            }
        }
        .map_err(|error| failed(&name, error))?;
        let bytes = self.exchange(&name, envelope).await?;
        self.sound(&name, wsman::decode(sent, &header, &bytes))
    }

    /// Pulls until the end of the sequence.
    async fn rest(
        &mut self,
        namespace: &str,
        mut instances: Vec<Instance>,
        mut next: Option<String>,
    ) -> Result<Answer, HostError> {
        let mut pages = 1;
        while let Some(context) = next {
            if pages == MAX_PAGES || instances.len() > MAX_INSTANCES {
                return Err(HostError::Unexpected {
                    expected: "an end of the instances".to_owned(),
                    got: format!("{} instances in {pages} pages and no end", instances.len()),
                });
            }
            pages += 1;
            let reply = self.ask(Sent::Pull { context: &context }, Some(namespace)).await?;
            let page = match reply {
                Reply::Page(page) => page,
                Reply::Answer(answer) => return Ok(answer),
            };
            instances.extend(page.instances);
            next = page.next;
        }
        Ok(Answer::Instances(instances))
    }
}

impl<C: SoapCall> WsmanLink<C> {
    async fn read_once(&mut self, read: &Read) -> Result<Answer, HostError> {
        let namespace = match read {
            Read::Query { namespace, .. } => namespace.as_str(),
            Read::Identify
            | Read::Settings
            | Read::Instance { .. }
            | Read::Value { .. }
            | Read::EnumValues(_)
            | Read::EnumKeys(_)
            | Read::RmsTemplates
            | Read::CheckAccess { .. }
            | Read::AccessList(_)
            | Read::ClientRestart => "",
        };
        match self.ask(Sent::Read(read), None).await? {
            Reply::Answer(answer) => Ok(answer),
            Reply::Page(page) => self.rest(namespace, page.instances, page.next).await,
        }
    }
}

impl<C: SoapCall> Reader for WsmanLink<C> {
    /// Faults that pass are answered here, by the catalogue: reading is safe to repeat.
    async fn read(&mut self, read: &Read) -> Result<Answer, HostError> {
        let mut again = Again::default();
        loop {
            let error = match self.read_once(read).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let Some(first) = again.after(&error) else { return Err(error) };
            tracing::debug!(%error, ?first, "the read is repeated");
            match first {
                First::Pause(time) => tokio::time::sleep(time).await,
                First::Renew => self.renew().await?,
            }
        }
    }
}

/// The account's groups have changed since its logon (`winrm.md` 5.3): nothing was done.
const TOKEN_EXPIRED: u32 = 2_150_859_177;

impl<C: SoapCall> Writer for WsmanLink<C> {
    async fn write(&mut self, write: &Write) -> Result<Answer, HostError> {
        let mut reply = self.ask(Sent::Write(write), None).await;
        // Said once more where saying it twice is no more than saying it once.
        let is_expired = matches!(
            &reply,
            Err(HostError::Fault(fault)) if fault.code == Some(TOKEN_EXPIRED)
        );
        if is_expired && is_idempotent(write) {
            self.renew().await?;
            reply = self.ask(Sent::Write(write), None).await;
        }
        match reply? {
            Reply::Answer(answer) => Ok(answer),
            Reply::Page(page) => Ok(Answer::Instances(page.instances)),
        }
    }
}

/// Whether carrying it out twice leaves what carrying it out once does.
fn is_idempotent(write: &Write) -> bool {
    match write {
        Write::CreateKey(_)
        | Write::SetValue { .. }
        | Write::DeleteValue(_)
        | Write::SetAccessList { .. } => true,
        Write::DeleteKey(_)
        | Write::Restart { .. }
        | Write::StartService(_)
        | Write::StopService(_)
        | Write::CreateInstance { .. }
        | Write::DeleteInstance { .. } => false,
    }
}

/// A reply that was refused or made no sense, as a recipe knows it.
pub(super) fn failed(call: &str, error: WsmanError) -> HostError {
    match error {
        WsmanError::Fault(fault) => HostError::Fault(Box::new(fault)),
        WsmanError::Xml(error) => HostError::Unexpected {
            expected: format!("a SOAP envelope in reply to {call}"),
            got: format!("bytes that are none ({error})"),
        },
        WsmanError::Unexpected { expected, got } => {
            HostError::Unexpected { expected: format!("{expected} in reply to {call}"), got }
        }
        WsmanError::Uncarriable(text) => HostError::Unsupported(format!("{call}: {text}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::collections::VecDeque;
    use std::time::Duration;

    use crate::net::left::LeftShells;
    use crate::net::left::tests::target;
    use crate::wire::namespace;
    use crate::wire::operation::Instance;
    use crate::wire::xml;

    /// Replies in order, each with the message id of the request put in.
    #[derive(Default)]
    struct Script {
        replies: VecDeque<String>,
        calls: Vec<String>,
    }

    impl SoapCall for &mut Script {
        async fn call(&mut self, what: &str, envelope: Vec<u8>) -> Result<Vec<u8>, HostError> {
            self.calls.push(what.to_owned());
            let envelope = xml::parse(&envelope).unwrap();
            let id = envelope.descendant(namespace::ADDRESSING, "MessageID").unwrap().text();
            let reply = self.replies.pop_front().expect("no more replies");
            Ok(reply.replace("THIS", &id).into_bytes())
        }

        async fn renew(&mut self) -> Result<(), HostError> {
            self.calls.push("logon".to_owned());
            Ok(())
        }
    }

    fn reply(action: &str, body: &str) -> String {
        format!(
            "<s:Envelope xmlns:s='{}' xmlns:a='{}' xmlns:n='{}' xmlns:w='{}'><s:Header>\
             <a:Action>{action}</a:Action><a:RelatesTo>THIS</a:RelatesTo></s:Header>\
             <s:Body>{body}</s:Body></s:Envelope>",
            namespace::SOAP,
            namespace::ADDRESSING,
            namespace::ENUMERATION,
            namespace::WSMAN,
        )
    }

    fn page(verb: &str, prefix: &str, name: &str, end: &str) -> String {
        let body = format!(
            "<n:{verb}Response>{end}<{prefix}:Items><w:XmlFragment><Name>{name}</Name>\
             </w:XmlFragment></{prefix}:Items></n:{verb}Response>"
        );
        reply(&format!("{}/{verb}Response", namespace::ENUMERATION), &body)
    }

    fn link(script: &mut Script) -> WsmanLink<&mut Script> {
        let header = Header {
            message_id: String::new(),
            session_id: "uuid:S".to_owned(),
            to: "http://fs01:5985/wsman".to_owned(),
            operation_timeout: Duration::from_secs(20),
            max_envelope: 153_600,
        };
        let mut last = 0;
        let ids = move || {
            last += 1;
            format!("uuid:{last}")
        };
        let shells = LeftShells::default().of(&target());
        WsmanLink::new(script, header, Box::new(ids), shells)
    }

    fn query() -> Read {
        Read::Query { namespace: "root/cimv2".to_owned(), wql: "select Name from x".to_owned() }
    }

    #[tokio::test]
    async fn a_query_is_pulled_to_its_end() {
        let context = "<n:EnumerationContext>uuid:C</n:EnumerationContext>";
        let mut script = Script::default();
        script.replies.push_back(page("Enumerate", "w", "a", context));
        script.replies.push_back(page("Pull", "n", "b", ""));
        script.replies.push_back(page("Pull", "n", "c", "<n:EndOfSequence/>"));
        let answer = link(&mut script).read(&query()).await.unwrap();
        let Answer::Instances(instances) = answer else { panic!("{answer:?}") };
        let names: Vec<_> =
            instances.iter().filter_map(|item| Instance::text(item, "Name")).collect();
        assert_eq!(names, ["a", "b", "c"]);
        assert_eq!(script.calls, ["Enumerate", "Pull", "Pull"]);
    }

    #[tokio::test]
    async fn a_sequence_without_an_end_is_left() {
        let mut script = Script::default();
        let context = "<n:EnumerationContext>uuid:C</n:EnumerationContext>";
        script.replies.push_back(page("Enumerate", "w", "a", context));
        script.replies.extend((0..MAX_PAGES).map(|_| page("Pull", "n", "b", "")));
        let error = link(&mut script).read(&query()).await.unwrap_err();
        assert!(error.to_string().contains("an end of the instances"), "{error}");
    }

    fn fault(code: u32) -> String {
        let detail = format!("<f:WSManFault xmlns:f='{}' Code='{code}'/>", namespace::FAULT);
        reply("fault", &format!("<s:Fault><s:Detail>{detail}</s:Detail></s:Fault>"))
    }

    #[tokio::test(start_paused = true)]
    async fn a_read_is_repeated_where_the_fault_passes_and_a_write_never() {
        let end = "<n:EndOfSequence/>";
        let mut script = Script::default();
        script.replies.push_back(fault(2_150_858_815));
        script.replies.push_back(fault(2_150_859_177));
        script.replies.push_back(page("Enumerate", "w", "a", end));
        script.replies.push_back(fault(2_150_858_815));
        let mut link = link(&mut script);
        link.read(&query()).await.unwrap();
        let restart = Write::Restart { delay_seconds: 0, comment: String::new() };
        let error = link.write(&restart).await.unwrap_err();
        assert!(matches!(error, HostError::Fault(_)), "{error}");
        assert_eq!(script.calls[..4], ["Enumerate", "Enumerate", "logon", "Enumerate"]);
        assert_eq!(script.calls.len(), 5);
    }

    #[tokio::test]
    async fn a_fault_leaves_the_connection_and_nonsense_ends_it() {
        let fault = "<s:Fault><s:Code><s:Value>s:Sender</s:Value></s:Code></s:Fault>";
        let mut script = Script::default();
        script.replies.push_back(reply("fault", fault));
        script.replies.push_back(reply("other", ""));
        let mut link = link(&mut script);
        let error = link.read(&query()).await.unwrap_err();
        assert!(matches!(error, HostError::Fault(_)), "{error}");
        let error = link.read(&query()).await.unwrap_err();
        assert!(error.to_string().contains("in reply to Enumerate"), "{error}");
        let error = link.read(&query()).await.unwrap_err();
        assert!(matches!(error, HostError::NotConnected { .. }), "{error}");
        assert_eq!(script.calls.len(), 2);
    }
}
