//! The files that the lists are read from.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use functions::ENDPOINTS;
use serde_json::Value as Json;

/// Function name to its routes, `GET /path`.
pub(crate) type Routes = BTreeMap<String, BTreeSet<String>>;

/// A function of the template.
pub(crate) struct Function {
    /// The logical id.
    pub(crate) id: String,
    pub(crate) bin: String,
    pub(crate) properties: Json,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

pub(crate) fn text(file: &str) -> String {
    std::fs::read_to_string(root().join(file)).unwrap()
}

/// Returns the names of the files with this extension in a folder.
pub(crate) fn names(folder: &str, extension: &str) -> BTreeSet<String> {
    let files = std::fs::read_dir(root().join(folder)).unwrap().map(|file| file.unwrap().path());
    files
        .filter(|file| file.extension().is_some_and(|found| found == extension))
        .map(|file| file.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect()
}

pub(crate) fn template() -> Json {
    serde_saphyr::from_str(&text("template.yaml")).unwrap()
}

/// Returns the template's functions.
pub(crate) fn functions(template: &Json) -> Vec<Function> {
    let resources = template["Resources"].as_object().unwrap().iter();
    resources
        .filter(|(_, resource)| resource["Type"] == "AWS::Serverless::Function")
        .map(|(id, resource)| Function {
            id: id.clone(),
            bin: resource["Metadata"]["BuildProperties"]["Binary"].as_str().unwrap().to_owned(),
            properties: resource["Properties"].clone(),
        })
        .collect()
}

/// Returns the routes of the endpoints.
pub(crate) fn endpoints() -> Routes {
    let routes = ENDPOINTS.iter().map(|endpoint| {
        let routes = endpoint.routes.iter().map(|(method, path)| format!("{method} {path}"));
        (endpoint.name.to_owned(), routes.collect())
    });
    routes.collect()
}
