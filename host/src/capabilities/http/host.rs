//! The interface's functions: a guest's handles become numbers, and calls go to
//! whoever answers them.

use wasmtime::component::Resource;
use wasmtime::{Result, bail};

use super::call::{self, Answer, Call, Handle};
use crate::capabilities::{self, Reply, StepState};
use crate::wit::http::noetl::tool::http::{Error, Host, HostBody, Request, Response};

/// The body of an answer, as the guest holds it.
pub struct Body(Handle);

type Answered<T> = Result<std::result::Result<T, Error>>;

impl StepState {
    async fn http(&mut self, call: Call) -> Answered<Answer> {
        match self.outside.call(capabilities::Call::Http(call)).await {
            Reply::Http(answer) => Ok(answer.map_err(Error::from)),
            Reply::Postgres(_) => bail!("not an answer of HTTP"),
        }
    }
}

impl Host for StepState {
    async fn send(&mut self, request: Request) -> Answered<Response> {
        match self.http(Call::Send(request.into())).await? {
            Ok(Answer::Head(head)) => Ok(Ok(Response {
                status: head.status,
                url: head.url,
                headers: head.headers,
                body: self.table.push(Body(head.body))?,
            })),
            Ok(_) => bail!("not the head of an answer"),
            Err(error) => Ok(Err(error)),
        }
    }
}

impl HostBody for StepState {
    async fn read(&mut self, this: Resource<Body>, most: u32) -> Answered<Vec<u8>> {
        let body = self.table.get(&this)?.0;
        match self.http(Call::Read { body, most }).await? {
            Ok(Answer::Bytes(bytes)) => Ok(Ok(bytes)),
            Ok(_) => bail!("not bytes"),
            Err(error) => Ok(Err(error)),
        }
    }

    async fn drop(&mut self, this: Resource<Body>) -> Result<()> {
        let Body(body) = self.table.delete(this)?;
        let _ = self.http(Call::Close { body }).await?;
        Ok(())
    }
}

impl From<Request> for call::Request {
    fn from(request: Request) -> Self {
        let Request {
            method,
            url,
            headers,
            body,
            credential,
            timeout_ms,
            redirects,
            max_age,
        } = request;
        Self {
            method,
            url,
            headers,
            body,
            credential,
            timeout_ms,
            redirects,
            max_age,
        }
    }
}

impl From<call::Error> for Error {
    fn from(error: call::Error) -> Self {
        match error {
            call::Error::Denied(why) => Self::Denied(why),
            call::Error::InvalidRequest(why) => Self::InvalidRequest(why),
            call::Error::ConnectionFailed(why) => Self::ConnectionFailed(why),
            call::Error::Timeout(why) => Self::Timeout(why),
            call::Error::Limit(why) => Self::Limit(why),
            call::Error::Other(why) => Self::Other(why),
        }
    }
}
