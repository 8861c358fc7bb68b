//! Serves a page that calls the API, and its documentation. In local runs only.

use std::ffi::OsStr;
use std::path::Path;

use shared::access::Access;
use shared::error::BoxError;

use crate::http::{ApiError, Authentication, Endpoint, ErrorCode, Request, Response};

const HTML: &str = "text/html; charset=utf-8";

/// The endpoint. `page` is `docs` or `openapi.json`.
pub const ENDPOINT: Endpoint = Endpoint {
    name: "local-site",
    routes: &[("GET", "/"), ("GET", "/{page}"), ("GET", "/docs/{file}")],
    authentication: Authentication::None,
    is_read_only: true,
    own_errors: &[ErrorCode::RequestCrossSite, ErrorCode::LocalPageNotFound],
    access: Access::NONE,
    handle: |_, request| Box::pin(async move { handle(&request) }),
    #[cfg(feature = "openapi")]
    operation: || crate::http::operation::Operation::new("Returns a page, or a file that a page loads"),
};

/// Returns a page, or a file of Swagger UI.
///
/// # Errors
/// 403 if the client used another host than localhost; 404; or 500 if `SWAGGER_UI` is not the folder of Swagger UI.
pub fn handle(request: &Request) -> Result<Response, ApiError> {
    if !request.is_for_localhost() {
        return Err(ApiError::NotLocalhost);
    }
    let parameter = |name| request.path_parameters.get(name).map(String::as_str);
    match (parameter("page"), parameter("file")) {
        (None, None) => Ok(Response::text(HTML, include_str!("../../local/site/index.html").to_owned())),
        (Some("docs"), None) => Ok(Response::text(HTML, include_str!("../../local/site/docs.html").to_owned())),
        (Some("openapi.json"), None) => {
            Ok(Response::text("application/json", include_str!("../openapi.json").to_owned()))
        }
        (None, Some(name)) => swagger_ui(std::env::var_os("SWAGGER_UI").as_deref(), name),
        _ => Err(ApiError::PageNotFound),
    }
}

/// Returns one of the files that `docs.html` loads.
fn swagger_ui(folder: Option<&OsStr>, name: &str) -> Result<Response, ApiError> {
    let content_type = match name {
        "swagger-ui.css" => "text/css; charset=utf-8",
        "swagger-ui-bundle.js" => "text/javascript; charset=utf-8",
        _ => return Err(ApiError::PageNotFound),
    };
    let folder = folder.ok_or_else(|| BoxError::from("SWAGGER_UI is not set: start the functions with local/run"))?;
    let text = std::fs::read_to_string(Path::new(folder).join(name)).map_err(BoxError::from)?;
    Ok(Response::text(content_type, text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_app;
    use crate::test_app::TestApp;

    async fn get(host: &str, parameters: &[(&str, &str)]) -> test_app::Response {
        let path_parameters =
            parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let request = Request { host: Some(host.to_owned()), path_parameters, ..Request::default() };
        TestApp::new().call(ENDPOINT, request).await
    }

    #[tokio::test]
    async fn each_page_has_its_content_type() {
        for (parameters, content_type, beginning) in [
            (&[][..], HTML, "<!doctype html>"),
            (&[("page", "docs")], HTML, "<!doctype html>"),
            (&[("page", "openapi.json")], "application/json", "{"),
        ] {
            let response = get("localhost:9000", parameters).await;
            assert_eq!(response.header("content-type"), Some(content_type), "{parameters:?}");
            assert!(response.ok().starts_with(beginning), "{parameters:?}");
        }
    }

    #[tokio::test]
    async fn other_hosts_than_localhost_are_rejected() {
        for parameters in [&[][..], &[("page", "docs")], &[("page", "openapi.json")], &[("file", "swagger-ui.css")]] {
            get("evil.example:9000", parameters).await.assert_error(403, "REQUEST__CROSS_SITE");
        }
    }

    #[tokio::test]
    async fn unknown_pages_and_files_are_not_found() {
        for name in ["favicon.ico", "index.html", "swagger-ui.css.map", "../swagger-ui.css", "/etc/passwd", "..", ""] {
            for parameter in ["page", "file"] {
                get("localhost", &[(parameter, name)]).await.assert_error(404, "LOCAL__PAGE_NOT_FOUND");
            }
        }
    }

    #[test]
    fn each_file_of_swagger_ui_has_its_content_type() {
        let folder = tempfile::tempdir().unwrap();
        for (name, content_type) in [("swagger-ui.css", "text/css"), ("swagger-ui-bundle.js", "text/javascript")] {
            std::fs::write(folder.path().join(name), name).unwrap();
            let response = swagger_ui(Some(folder.path().as_os_str()), name).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!((response.status, response.body.as_str()), (200, name));
            let expected = ("content-type", format!("{content_type}; charset=utf-8"));
            assert!(response.headers.contains(&expected), "{:?}", response.headers);
        }
    }

    #[test]
    fn a_missing_folder_of_swagger_ui_is_an_internal_error() {
        for folder in [None, Some(OsStr::new("/nowhere"))] {
            let result = swagger_ui(folder, "swagger-ui.css");
            assert!(matches!(result, Err(ApiError::Internal(_))), "{folder:?}");
        }
    }
}
