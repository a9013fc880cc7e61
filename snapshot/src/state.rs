//! How `wasmtime-wizer` reads the state of an instance. The crate has this for
//! wasmtime itself, behind a feature that would turn on GC, threads and more for
//! every crate of the workspace.

use std::future::Future;

use wasmtime::Store;
use wasmtime::component::{ComponentNamedList, Instance, Lift, WasmList};
use wasmtime_wizer::ComponentInstanceState;

/// An instance of an instrumented component, after its `init`.
pub(crate) struct SnapshotInstance<T: Send + 'static> {
    pub(crate) store: Store<T>,
    pub(crate) instance: Instance,
}

impl<T: Send> SnapshotInstance<T> {
    /// Calls one of the functions that `instrument_component` added.
    ///
    /// # Panics
    /// If it is not there or traps: then the instrumentation itself is broken,
    /// and the trait has no room for an error.
    async fn call<R>(&mut self, interface: &str, function: &str) -> R
    where
        (R,): ComponentNamedList + Lift + 'static,
        R: Send + Sync,
    {
        let store = &mut self.store;
        let found = self
            .instance
            .get_export_index(&mut *store, None, interface)
            .and_then(|interface| {
                self.instance
                    .get_export_index(&mut *store, Some(&interface), function)
            })
            .unwrap_or_else(|| panic!("the instrumented component has no {interface}#{function}"));
        let called = async {
            let function = self
                .instance
                .get_typed_func::<(), (R,)>(&mut *store, found)?;
            function.call_async(&mut *store, ()).await
        };
        called
            .await
            .unwrap_or_else(|error| panic!("{interface}#{function}: {error:#}"))
            .0
    }
}

impl<T: Send> ComponentInstanceState for SnapshotInstance<T> {
    async fn call_func_ret_list_u8(
        &mut self,
        instance: &str,
        func: &str,
        contents: impl FnOnce(&[u8]) + Send,
    ) {
        let list: WasmList<u8> = self.call(instance, func).await;
        contents(list.as_le_slice(&self.store));
    }

    fn call_func_ret_s32(
        &mut self,
        instance: &str,
        func: &str,
    ) -> impl Future<Output = i32> + Send {
        self.call(instance, func)
    }

    fn call_func_ret_s64(
        &mut self,
        instance: &str,
        func: &str,
    ) -> impl Future<Output = i64> + Send {
        self.call(instance, func)
    }

    async fn call_func_ret_f32(&mut self, instance: &str, func: &str) -> u32 {
        self.call::<f32>(instance, func).await.to_bits()
    }

    async fn call_func_ret_f64(&mut self, instance: &str, func: &str) -> u64 {
        self.call::<f64>(instance, func).await.to_bits()
    }
}
