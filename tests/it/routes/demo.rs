//! GET /api/v1/demo, POST /api/v1/demo/faults/{id}/start and /stop

use super::app::{START, TestApp};
use super::plant::names;
use plantroom::api::{Demo, DemoError, DemoFault, DemoNow, FaultState, Filled};
use serde_json::json;
use std::sync::{Arc, Mutex};

/// One fault, and whether it is on.
struct OneFault(Mutex<FaultState>);

impl Demo for OneFault {
    fn now(&self) -> DemoNow {
        let fault = DemoFault {
            id: "leak".into(),
            kind: "oxygen-leak".into(),
            asset: "manifold".into(),
            name: names("氧气泄漏", "Oxygen leak"),
            notice: names("压力下降", "Pressure falls"),
            state: *self.0.lock().unwrap(),
            onset: Some(START),
            end: None,
            points: vec!["manifold/pressure".parse().unwrap()],
        };
        let filled = Filled { share: 0.25, from: Some(START), done: false };
        DemoNow { seed: 7, speed: 1.0, genesis: START.plus_ms(-1_000), filled, faults: vec![fault] }
    }

    fn start(&self, fault: &str) -> Result<(), DemoError> {
        self.turn(fault, FaultState::Running, DemoError::Running)
    }

    fn stop(&self, fault: &str) -> Result<(), DemoError> {
        self.turn(fault, FaultState::Over, DemoError::NotRunning)
    }
}

impl OneFault {
    fn turn(&self, fault: &str, to: FaultState, already: DemoError) -> Result<(), DemoError> {
        let mut state = self.0.lock().unwrap();
        match fault {
            "leak" if *state == to => Err(already),
            "leak" => {
                *state = to;
                Ok(())
            }
            "clock" => Err(DemoError::NotStartable),
            _ => Err(DemoError::Unknown),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_real_site_is_no_demo() {
    let app = TestApp::start().await;
    assert_eq!(app.get("/api/v1/demo").await.failure(), "404 not_demo");
    for verb in ["start", "stop"] {
        let path = format!("/api/v1/demo/faults/leak/{verb}");
        assert_eq!(app.post(&path, json!({})).await.failure(), "404 not_demo");
    }
}

#[tokio::test(start_paused = true)]
async fn faults_are_begun_and_ended_by_a_person() {
    let app = TestApp::start().await;
    app.state.watches_demo(Arc::new(OneFault(Mutex::new(FaultState::Waiting))));
    let leak = |state: &str| {
        json!({
            "id": "leak", "kind": "oxygen-leak", "asset": "manifold",
            "name": {"zh": "氧气泄漏", "en": "Oxygen leak"}, "notice": {"zh": "压力下降", "en": "Pressure falls"},
            "state": state, "onset": START.0, "end": null, "points": ["manifold/pressure"]
        })
    };
    assert_eq!(
        app.get("/api/v1/demo").await.json(),
        json!({
            "seed": 7, "speed": 1.0, "genesis": START.0 - 1_000,
            "filled": {"share": 0.25, "from": START.0, "done": false}, "faults": [leak("waiting")]
        })
    );
    let act =
        async |id: &str, verb: &str| app.post(&format!("/api/v1/demo/faults/{id}/{verb}"), json!({})).await;
    assert_eq!(act("leak", "start").await.json(), leak("running"));
    assert_eq!(act("leak", "start").await.failure(), "409 fault_running");
    assert_eq!(act("leak", "stop").await.json(), leak("over"));
    assert_eq!(act("leak", "stop").await.failure(), "409 fault_not_running");
    assert_eq!(act("clock", "start").await.failure(), "409 fault_not_startable");
    for id in ["none", "%00", "%2e%2e"] {
        assert_eq!(act(id, "start").await.failure(), "404 not_found", "{id}");
    }
    assert_eq!(app.get("/api/v1/demo/faults/leak/start").await.failure(), "405 method_not_allowed");
}
