use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::FutureExt;

use super::{Connections, FIRST, Limits, Link, STALLED};

const LIMITS: Limits = Limits { connections: 4, reserve: 2, downloads: 1 };

/// Lets time pass for a connection.
fn quiet_for(link: &Link, time: Duration) {
    // The table is younger than any of the times: it is made older for this connection.
    let connections = &link.connections;
    let now = connections.now();
    let ago = u64::try_from(time.as_millis()).expect("short");
    link.active.store(now.saturating_sub(ago), Ordering::Relaxed);
}

fn aged() -> Arc<Connections> {
    let mut connections = Connections::new(LIMITS);
    let table = Arc::get_mut(&mut connections).expect("nobody else has it");
    table.started = table.started.checked_sub(Duration::from_secs(3600)).expect("the machine is older than an hour");
    connections
}

#[test]
fn limits_fit_the_files_that_may_be_open() {
    for files in [64, 256, 1024, 20_000, 1 << 30] {
        let Limits { connections, reserve, downloads } = Limits::of_files(files);
        assert!(connections + reserve + downloads <= files.max(64), "{files}");
        assert!(connections <= 8192);
    }
}

#[test]
fn the_full_table_makes_room_by_cutting_who_was_idle_for_longest() {
    let connections = aged();
    let seats: Vec<_> = (0..4).map(|_| connections.enter().expect("room")).collect();
    let _asking = seats[0].0.begin();
    for (seat, seconds) in seats.iter().zip([50, 10, 40, 30]) {
        quiet_for(&seat.0, Duration::from_secs(seconds));
    }
    let fifth = connections.enter().expect("room is made");
    assert!(!fifth.0.is_crowded());
    let cut: Vec<bool> = seats.iter().map(|seat| seat.0.is_cut()).collect();
    assert_eq!(cut, [false, false, true, false], "the first has a request, the third was idle for longest");
}

#[test]
fn without_idle_ones_newcomers_are_crowded_and_then_refused() {
    let connections = aged();
    let seats: Vec<_> = (0..4).map(|_| connections.enter().expect("room")).collect();
    let busy: Vec<_> = seats.iter().map(|seat| seat.0.begin()).collect();
    let reserve: Vec<_> = (0..2).map(|_| connections.enter().expect("reserve")).collect();
    assert!(reserve.iter().all(|seat| seat.0.is_crowded()));
    assert!(connections.enter().is_none());
    drop((busy, seats));
    let next = connections.enter().expect("room again");
    assert!(!next.0.is_crowded());
}

#[test]
fn useless_connections_are_swept() {
    let connections = aged();
    let [idle, waiting, sending, moving] = [0; 4].map(|_| connections.enter().expect("room"));
    let _waits = waiting.0.begin();
    let mut sends = sending.0.begin();
    sends.sends();
    let mut moves = moving.0.begin();
    moves.sends();
    for seat in [&idle, &waiting, &sending] {
        quiet_for(&seat.0, STALLED + Duration::from_secs(1));
    }
    connections.sweep();
    let cut = [&idle, &waiting, &sending, &moving].map(|seat| seat.0.is_cut());
    assert_eq!(cut, [true, false, true, false], "a build may take long; what was built must be taken");
    drop(moves);
    connections.stop();
    assert!(moving.0.is_cut(), "a stopping server keeps no idle connection");
    assert!(!waiting.0.is_cut());
    drop((idle, waiting, sending, moving));
    assert_eq!(connections.leaving.load(Ordering::Relaxed), 0);
    assert!(connections.lock().links.is_empty());
}

#[test]
fn a_first_request_is_waited_for_less_long_than_the_next() {
    let connections = aged();
    let [new, known] = [0; 2].map(|_| connections.enter().expect("room"));
    drop(known.0.begin());
    for seat in [&new, &known] {
        quiet_for(&seat.0, FIRST + Duration::from_secs(1));
    }
    connections.sweep();
    assert!(new.0.is_cut() && !known.0.is_cut());
}

#[tokio::test]
async fn downloads_wait_for_each_other_and_the_stuck_one_goes() {
    let connections = aged();
    let seat = connections.enter().expect("room");
    let mut sending = seat.0.begin();
    sending.sends();
    let first = connections.download().await.expect("room");
    let mut second = Box::pin(connections.download());
    assert!(second.as_mut().now_or_never().is_none(), "it waits");
    assert!(!seat.0.is_cut(), "the first has just moved");
    quiet_for(&seat.0, Duration::from_secs(11));
    connections.sweep();
    assert!(seat.0.is_cut());
    drop(first);
    assert!(second.await.is_some());
    assert_eq!(connections.waiting.load(Ordering::Relaxed), 0);
}

#[test]
fn too_many_requests_on_one_connection_end_it() {
    let connections = aged();
    let seat = connections.enter().expect("room");
    let many: Vec<_> = (0..super::TOO_MANY_REQUESTS).map(|_| seat.0.begin()).collect();
    assert!(!seat.0.is_cut());
    let _last = seat.0.begin();
    assert!(seat.0.is_cut());
    drop(many);
    assert_eq!(connections.requests.load(Ordering::Relaxed), 1);
}
