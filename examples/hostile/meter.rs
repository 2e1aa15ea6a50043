//! How much memory a decoder takes, counted for each thread on its own.

use std::alloc::GlobalAlloc;
use std::alloc::Layout;
use std::alloc::System;
use std::cell::Cell;

/// The system's allocator, with a tally.
pub(crate) struct Meter;

/// What one input took.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Taken {
    /// Most bytes held at the same moment.
    pub(crate) peak: usize,
    /// Calls of the allocator: a measure of work that no busy machine changes.
    pub(crate) calls: usize,
}

thread_local! {
    static HELD: Cell<usize> = const { Cell::new(0) };
    static PEAK: Cell<usize> = const { Cell::new(0) };
    static CALLS: Cell<usize> = const { Cell::new(0) };
}

/// Begins a tally on this thread.
pub(crate) fn begin() {
    HELD.set(0);
    PEAK.set(0);
    CALLS.set(0);
}

/// What was taken since [`begin`].
pub(crate) fn taken() -> Taken {
    Taken { peak: PEAK.get(), calls: CALLS.get() }
}

fn take(bytes: usize) {
    // A thread that ends has no tally any more, and still allocates.
    let _ = HELD.try_with(|held| {
        held.set(held.get().saturating_add(bytes));
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(held.get())));
    });
    let _ = CALLS.try_with(|calls| calls.set(calls.get().saturating_add(1)));
}

fn give(bytes: usize) {
    // What was there before the tally began may be given back during it.
    let _ = HELD.try_with(|held| held.set(held.get().saturating_sub(bytes)));
}

#[expect(unsafe_code, reason = "an allocator cannot be written without; it only passes calls on")]
// SAFETY: every call goes to the system's allocator with the arguments that came.
unsafe impl GlobalAlloc for Meter {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        take(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        give(layout.size());
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        give(layout.size());
        take(size);
        unsafe { System.realloc(pointer, layout, size) }
    }
}
