//! The heap: blocks by `rlsf`, in one pool that grows at its end, so that what is freed is one again.
//!
//! Its own global allocator takes a pool for itself whenever memory grows, and pools never become
//! one: lists that get longer from call to call would use up all memory.

use core::alloc::{GlobalAlloc, Layout};
use core::arch::wasm32::memory_grow;
use core::cell::UnsafeCell;
use core::ptr::{self, NonNull};

/// Classes of block sizes for the whole address space, without which a pool cannot grow.
type Blocks = rlsf::Tlsf<'static, u32, u16, 28, 16>;

const PAGE_BYTES: usize = 1 << 16;

/// The component's heap.
pub(super) struct Heap(UnsafeCell<Inner>);

struct Inner {
    blocks: Blocks,
    /// Where the pool ends; 0 before there is one.
    end: usize,
}

// SAFETY: on this target there are no threads.
#[allow(unsafe_code)]
unsafe impl Sync for Heap {}

impl Heap {
    /// An empty heap.
    pub(super) const fn new() -> Self {
        Self(UnsafeCell::new(Inner { blocks: Blocks::new(), end: 0 }))
    }
}

impl Inner {
    /// Makes room for an allocation; false when the host gives no more memory.
    #[allow(unsafe_code)]
    fn grow(&mut self, layout: Layout) -> bool {
        // What a block needs beside its content: its header, its place in a class, and the mark at
        // the end of the pool. Classes are at most a sixteenth apart.
        let beside = layout.size() / 16 + layout.align() + PAGE_BYTES / 16;
        let Some(wanted) = layout.size().checked_add(beside) else { return false };
        let pages = wanted.div_ceil(PAGE_BYTES);
        let before = memory_grow::<0>(pages);
        if before == usize::MAX {
            return false;
        }
        let start = before * PAGE_BYTES;
        // The last page of the address space would end where addresses begin.
        let length = (pages * PAGE_BYTES).min(usize::MAX - start);
        let Some(place) = NonNull::new(ptr::slice_from_raw_parts_mut(ptr::with_exposed_provenance_mut(start), length))
        else {
            return false;
        };
        // SAFETY: the pages are new, so they are nobody else's, and memory never shrinks. What is
        // appended begins where the pool ends.
        unsafe {
            if start == self.end {
                self.end += self.blocks.append_free_block_ptr(place);
            } else if let Some(taken) = self.blocks.insert_free_block_ptr(place) {
                self.end = start + taken.get();
            }
        }
        true
    }

    fn allocate(&mut self, layout: Layout) -> *mut u8 {
        loop {
            if let Some(block) = self.blocks.allocate(layout) {
                return block.as_ptr();
            }
            if !self.grow(layout) {
                return ptr::null_mut();
            }
        }
    }
}

// SAFETY: blocks are given and taken back as `rlsf` demands it, which is as `GlobalAlloc` promises.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: no threads, and nothing in here allocates.
        unsafe { (*self.0.get()).allocate(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as above; the block was given by `alloc`.
        unsafe { (*self.0.get()).blocks.deallocate(NonNull::new_unchecked(block), layout.align()) }
    }
}
