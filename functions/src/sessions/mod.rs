//! Sessions: the chains of tokens that begin with a login.

pub mod list;
pub mod logout;
pub mod refresh;
pub mod revoke;
