//! Sessions: the chains of tokens that begin with a login.

pub mod logout;
pub mod refresh;
