//! GET /api/v1/openapi.json

use super::app::TestApp;
use serde_json::Value;
use std::collections::BTreeSet;

#[tokio::test(start_paused = true)]
async fn the_document_is_served_and_is_the_one_we_agreed_on() {
    let app = TestApp::start().await;
    let mut served = app.get("/api/v1/openapi.json").await.json();
    assert_eq!(served["info"]["version"].take(), env!("CARGO_PKG_VERSION"));
    insta::with_settings!({ snapshot_path => "../snapshots", prepend_module_to_snapshot => false }, {
        insta::assert_json_snapshot!("openapi", served);
    });
}

#[test]
fn every_operation_has_a_summary_a_name_of_its_own_and_its_failures() {
    let document = serde_json::to_value(plantroom::api::openapi()).unwrap();
    let mut names = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let here = format!("{method} {path}");
            assert!(!operation["summary"].as_str().unwrap_or_default().is_empty(), "{here}");
            let name = operation["operationId"].as_str().unwrap_or_default().to_owned();
            assert!(names.insert(name), "{here}");
            assert!(!operation["tags"].as_array().is_none_or(Vec::is_empty), "{here}");
            let responses = operation["responses"].as_object().unwrap();
            let expected: &[&str] = match (method.as_str(), path.as_str()) {
                (_, "/readyz") => &["503"],
                ("post", _) => &["400", "403", "404", "409", "413", "415", "500", "503"],
                _ => &["400", "403", "404", "500", "503"],
            };
            for status in expected {
                let schema = &responses[*status]["content"]["application/json"]["schema"];
                assert!(path == "/readyz" || *schema == envelope(), "{here} {status} {schema}");
            }
        }
    }
    assert_eq!(names.len(), 45);
}

fn envelope() -> Value {
    serde_json::json!({"$ref": "#/components/schemas/Envelope"})
}

#[test]
fn every_reference_of_the_document_holds() {
    let document = serde_json::to_value(plantroom::api::openapi()).unwrap();
    let text = document.to_string();
    let mut count = 0;
    for part in text.split("\"$ref\":\"#").skip(1) {
        let pointer = part.split('"').next().unwrap();
        assert!(document.pointer(pointer).is_some(), "{pointer}");
        count += 1;
    }
    assert!(count > 50, "{count}");
}
