//! The description of an endpoint for the OpenAPI document. Compiled with the feature `openapi` only.

use utoipa::ToSchema;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;

/// The names of schemas, and the schemas.
type Schemas = Vec<(String, RefOr<Schema>)>;

/// The fields of a request of which one is required.
pub(super) enum Alternatives {
    /// None.
    None,
    /// One of them, and not the others.
    ExactlyOne(&'static [&'static str]),
    /// One of them, or several.
    AtLeastOne(&'static [&'static str]),
}

/// The part of an operation that does not follow from the endpoint's other data.
pub struct Operation {
    pub(super) summary: &'static str,
    pub(super) request: Option<String>,
    pub(super) alternatives: Alternatives,
    pub(super) is_closed: bool,
    pub(super) response: (u16, Option<String>),
    pub(super) schemas: Schemas,
}

impl Operation {
    /// Creates an operation that takes no fields and returns 204.
    #[must_use]
    pub fn new(summary: &'static str) -> Self {
        Self {
            summary,
            request: None,
            alternatives: Alternatives::None,
            is_closed: false,
            response: (204, None),
            schemas: Vec::new(),
        }
    }

    /// Adds the struct of the request: of its body, or of the query of a GET.
    #[must_use]
    pub fn request<T: ToSchema>(mut self) -> Self {
        self.request = Some(self.add::<T>());
        self
    }

    /// Requires exactly one of these fields of the request.
    #[must_use]
    pub fn exactly_one_of(mut self, fields: &'static [&'static str]) -> Self {
        self.alternatives = Alternatives::ExactlyOne(fields);
        self
    }

    /// Requires at least one of these fields of the request.
    #[must_use]
    pub fn at_least_one_of(mut self, fields: &'static [&'static str]) -> Self {
        self.alternatives = Alternatives::AtLeastOne(fields);
        self
    }

    /// Rejects other fields than those of the request's struct.
    #[must_use]
    pub fn without_unknown_fields(mut self) -> Self {
        self.is_closed = true;
        self
    }

    /// Adds the struct of the response.
    #[must_use]
    pub fn response<T: ToSchema>(mut self, status: u16) -> Self {
        self.response = (status, Some(self.add::<T>()));
        self
    }

    fn add<T: ToSchema>(&mut self) -> String {
        self.schemas.push((T::name().into_owned(), T::schema()));
        T::schemas(&mut self.schemas);
        T::name().into_owned()
    }
}
