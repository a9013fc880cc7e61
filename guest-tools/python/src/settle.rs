//! Makes a started interpreter a good snapshot: one that a step can use while
//! writing to few of its pages. Each page of the snapshot that an instance writes
//! to is a page fault, a copy, and a page to put back afterwards.

use std::collections::HashSet;

use rustpython_vm::{
    AsObject, PyObjectRef, PyResult, TryFromObject, VirtualMachine, builtins::PyStr,
};

/// Free memory that the snapshot holds behind its last object, in bytes. Most
/// steps need no more, and so never grow their memory.
const ROOM: usize = 8 << 20;

/// Fixes every object that `roots` (a list) lead to: from here on its reference
/// count does not change, and a text knows its hash.
pub fn make_immortal(roots: PyObjectRef, vm: &VirtualMachine) -> PyResult<()> {
    let mut open = Vec::<PyObjectRef>::try_from_object(vm, roots)?;
    let mut seen = HashSet::new();
    while let Some(object) = open.pop() {
        if !seen.insert(object.get_id()) {
            continue;
        }
        open.extend(object.gc_get_referents());
        if object.downcast_ref::<PyStr>().is_some() {
            object.hash(vm)?;
        }
        object.make_immortal();
    }
    Ok(())
}

/// Takes the free pieces between the objects out of use, so that what a step
/// allocates lies side by side, in memory that no object of the snapshot is in.
pub fn close_gaps() {
    // Larger than any gap, so it lies behind all of them. Freed at once, it
    // leaves that much room there.
    let end = address(&Vec::<u8>::with_capacity(ROOM));
    let mut size = ROOM / 16;
    while size >= 8 {
        loop {
            // Zeroes are left out of the component's file.
            let piece = vec![0_u8; size];
            if address(&piece) >= end {
                break;
            }
            std::mem::forget(piece);
        }
        size -= (size / 16).max(4);
    }
}

/// `black_box`: an allocation that nothing reads could be optimised away.
fn address(piece: &[u8]) -> usize {
    std::hint::black_box(piece).as_ptr().addr()
}
