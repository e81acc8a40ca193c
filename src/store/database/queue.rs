//! What waits for the threads of the database: webhooks before everything else.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Work that waits for a thread. The lock is held for a push or a pop only, never across work, so a
/// plain mutex is right; async callers put, threads take.
pub(super) struct Queue<T> {
    inner: Arc<(Mutex<Waiting<T>>, Condvar)>,
}

struct Waiting<T> {
    first: VecDeque<T>,
    then: VecDeque<T>,
    closed: bool,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        let waiting = Waiting { first: VecDeque::new(), then: VecDeque::new(), closed: false };
        Self { inner: Arc::new((Mutex::new(waiting), Condvar::new())) }
    }
}

impl<T> Clone for Queue<T> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<T> Queue<T> {
    /// Adds work, before everything else or after it; what comes after the end is dropped.
    pub(super) fn put(&self, item: T, first: bool) {
        let mut waiting = lock(&self.inner.0);
        if waiting.closed {
            return;
        }
        if first {
            waiting.first.push_back(item);
        } else {
            waiting.then.push_back(item);
        }
        drop(waiting);
        self.inner.1.notify_one();
    }

    /// Waits for the next piece; `None` once the queue is closed and empty.
    pub(super) fn take(&self) -> Option<T> {
        let mut waiting = lock(&self.inner.0);
        loop {
            if let Some(item) = waiting.next() {
                return Some(item);
            }
            if waiting.closed {
                return None;
            }
            waiting = self.inner.1.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The next piece, if one waits.
    pub(super) fn take_waiting(&self) -> Option<T> {
        lock(&self.inner.0).next()
    }

    /// How much waits.
    pub(super) fn waiting(&self) -> usize {
        let waiting = lock(&self.inner.0);
        waiting.first.len() + waiting.then.len()
    }

    /// Lets the threads end once nothing waits any more.
    pub(super) fn close(&self) {
        lock(&self.inner.0).closed = true;
        self.inner.1.notify_all();
    }
}

impl<T> Waiting<T> {
    fn next(&mut self) -> Option<T> {
        self.first.pop_front().or_else(|| self.then.pop_front())
    }
}

/// A panic while the lock is held leaves only a queue behind, which stays sound.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
