//! The routes and the bins.

use std::collections::BTreeSet;

use functions::ENDPOINTS;
use functions::jobs::JOBS;

use crate::files::{Routes, endpoints, functions, names, template, text};

/// The endpoints that only local runs have, and their routes.
const LOCAL_ONLY: [(&str, &[&str]); 2] =
    [("local-outbox", &["GET /local/outbox"]), ("local-site", &["GET /", "GET /docs/{file}", "GET /{page}"])];

#[test]
fn router_template_and_bins_are_the_endpoints_and_jobs() {
    let manifest: toml::Table = text("Cargo.toml").parse().unwrap();
    let mut router = Routes::new();
    for (path, targets) in manifest["workspace"]["metadata"]["lambda"]["watch"]["router"].as_table().unwrap() {
        for target in targets.as_array().unwrap() {
            let (method, function) = (target["method"].as_str().unwrap(), target["function"].as_str().unwrap());
            router.entry(function.to_owned()).or_default().insert(format!("{method} {path}"));
        }
    }
    for (name, routes) in LOCAL_ONLY {
        assert_eq!(router.remove(name), Some(routes.iter().copied().map(str::to_owned).collect()), "{name}");
    }
    assert_eq!(router, endpoints(), "the router in Cargo.toml (left) and ENDPOINTS (right)");

    let mut deployed = Routes::new();
    for function in functions(&template()) {
        let (id, bin) = (function.id, function.bin);
        assert_eq!(function.properties["FunctionName"], format!("${{AWS::StackName}}-{bin}"), "{id}");
        let routes = deployed.entry(bin).or_default();
        for event in function.properties["Events"].as_object().into_iter().flat_map(|events| events.values()) {
            let event = &event["Properties"];
            routes.insert(format!("{} {}", event["Method"].as_str().unwrap(), event["Path"].as_str().unwrap()));
        }
    }
    for job in JOBS {
        assert_eq!(deployed.remove(job.name), Some(BTreeSet::new()), "{}", job.name);
    }
    assert_eq!(deployed, endpoints(), "the functions in template.yaml (left) and ENDPOINTS (right)");

    let mut bins = names("functions/src/bin", "rs");
    for (name, _) in LOCAL_ONLY {
        assert!(bins.remove(name), "{name}");
    }
    for job in JOBS {
        assert!(bins.remove(job.name), "{}", job.name);
        let (main, module) = (text(&format!("functions/src/bin/{}.rs", job.name)), job.name.replace('-', "_"));
        assert!(main.contains(&format!("functions::jobs::{module}::")), "{} runs another job", job.name);
        assert!(main.contains("functions::lambda::serve_job(JOB,"), "{}", job.name);
    }
    assert_eq!(bins, endpoints().into_keys().collect(), "the bins (left) and ENDPOINTS (right)");
}

#[test]
fn each_bin_serves_the_endpoint_of_its_name() {
    for endpoint in ENDPOINTS {
        let main = text(&format!("functions/src/bin/{}.rs", endpoint.name));
        let serve = main.split_once("functions::lambda::serve(functions::").unwrap().1;
        let module = serve.split_once("::ENDPOINT)").unwrap().0.replace("::", "/");
        let source = text(&format!("functions/src/{module}.rs"));
        assert!(source.contains(&format!("name: \"{}\"", endpoint.name)), "{} serves {module}", endpoint.name);
    }
}

#[test]
fn each_function_has_an_event() {
    let bins: BTreeSet<String> = functions(&template()).into_iter().map(|function| function.bin).collect();
    assert_eq!(names("local/events", "json"), bins);
}
