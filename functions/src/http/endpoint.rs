//! The description of an endpoint, as data. Router, template, roles and documentation are compared with
//! it; init and the benchmark use it.

use std::pin::Pin;

use shared::access::Access;
use shared::app::App;

use super::error_code::ErrorCode;
use super::problem::ApiError;
use super::request::Request;
use super::response::Response;

/// An endpoint.
#[derive(Clone, Copy)]
pub struct Endpoint {
    /// The name of the function, and of its bin.
    pub name: &'static str,
    /// The routes, each a method and a path.
    pub routes: &'static [(&'static str, &'static str)],
    /// How the caller is authenticated.
    pub authentication: Authentication,
    /// Whether a request only reads. Any other one is rejected if a web page of another origin sent it.
    pub is_read_only: bool,
    /// The errors that the handler itself returns. [`Endpoint::errors`] returns all of them.
    pub own_errors: &'static [ErrorCode],
    /// Everything that the function uses.
    pub access: Access,
    /// The handler.
    pub handle: for<'a> fn(&'a App, Request) -> ResponseFuture<'a>,
    /// The rest of its description in the OpenAPI document.
    #[cfg(feature = "openapi")]
    pub operation: fn() -> super::operation::Operation,
}

/// How the caller of an endpoint is authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authentication {
    /// Not by a token.
    None,
    /// By an access token in `Authorization`.
    AccessToken,
    /// By an access token of a recent login.
    RecentLogin,
}

/// The future returned by a handler.
pub type ResponseFuture<'a> = Pin<Box<dyn Future<Output = Result<Response, ApiError>> + Send + 'a>>;

impl Endpoint {
    /// Responds to a request, and logs its event. A request that only reads, and succeeds, is not an event.
    ///
    /// # Errors
    /// [`ApiError::CrossSite`], or any error of the handler.
    pub async fn respond(&self, app: &App, mut request: Request) -> Result<Response, ApiError> {
        let event = request.event.clone();
        {
            let mut event = event.lock();
            event.name = self.name;
            event.ip.clone_from(&request.source_ip);
            event.request_id = request.request_id.take();
        }
        let response = if !self.is_read_only && request.is_cross_site(&app.config.allowed_origins) {
            Err(ApiError::CrossSite)
        } else {
            (self.handle)(app, request).await
        };
        let mut event = event.lock();
        if let Err(error) = &response {
            error.describe(&mut event);
        }
        if response.is_err() || !self.is_read_only {
            app.log(&event);
        }
        response
    }

    /// Returns every error of the endpoint: its own, and those that follow from its description.
    pub fn errors(&self) -> impl Iterator<Item = ErrorCode> {
        let has_body = self.routes.iter().any(|(method, _)| Request::has_body(method));
        let has_token = self.authentication != Authentication::None;
        let only_if = |applies: bool, errors: &'static [ErrorCode]| if applies { errors } else { &[] };
        let all = [
            only_if(has_body, &[ErrorCode::RequestMalformed, ErrorCode::RequestTooLarge]),
            only_if(!self.is_read_only, &[ErrorCode::RequestCrossSite]),
            only_if(
                has_token,
                &[
                    ErrorCode::TokenMissing,
                    ErrorCode::TokenInvalid,
                    ErrorCode::TokenExpired,
                    ErrorCode::TokenRevoked,
                    ErrorCode::UserDisabled,
                ],
            ),
            only_if(self.authentication == Authentication::RecentLogin, &[ErrorCode::TokenLoginTooOld]),
            self.own_errors,
            only_if(!self.access.tables.is_empty(), &[ErrorCode::ServerBusy]),
            &[ErrorCode::ServerError],
        ];
        all.into_iter().flatten().copied()
    }
}
